//! Multipart uploads.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::checksum::{Algorithm, Coverage, hex, md5, sent_checksum, set_checksum};
use super::object::{Object, Piece};
use super::read::algorithm;
use super::state::{Condition, random_id};
use super::store::Store;
use super::write::{check_md5, check_sum, etag, read_body, trailing_checksum};

/// An upload that is not complete yet.
pub(super) struct Upload {
    bucket: String,
    key: String,
    algorithm: Algorithm,
    coverage: Coverage,
    parts: BTreeMap<i32, UploadedPart>,
    content_type: Option<String>,
    metadata: HashMap<String, String>,
    storage_class: Option<String>,
}

#[derive(Clone)]
struct UploadedPart {
    etag: String,
    body: Bytes,
}

pub(super) fn create(
    store: &Store,
    input: CreateMultipartUploadInput,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let named = algorithm(
        input
            .checksum_algorithm
            .as_ref()
            .map(ChecksumAlgorithm::as_str),
    )?;
    let used = named.unwrap_or(Algorithm::Crc64Nvme);
    let coverage = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        Some(ChecksumType::FULL_OBJECT) => Coverage::FullObject,
        Some(ChecksumType::COMPOSITE) => Coverage::Composite,
        _ => used.default_coverage(),
    };
    let is_sha = matches!(used, Algorithm::Sha1 | Algorithm::Sha256);
    if (is_sha && coverage == Coverage::FullObject)
        || (used == Algorithm::Crc64Nvme && coverage == Coverage::Composite)
    {
        let (coverage, name) = (coverage.as_str(), used.as_str());
        return Err(s3_error!(
            InvalidRequest,
            "The {coverage} checksum type cannot be used with the {name} algorithm."
        ));
    }
    let mut state = store.0.lock();
    state.bucket(&input.bucket)?;
    let id = random_id();
    state.uploads.insert(
        id.clone(),
        Upload {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            algorithm: used,
            coverage,
            parts: BTreeMap::new(),
            content_type: input.content_type,
            metadata: input.metadata.unwrap_or_default(),
            storage_class: input.storage_class.map(|class| class.as_str().to_owned()),
        },
    );
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        checksum_algorithm: named
            .map(|algorithm| ChecksumAlgorithm::from_static(algorithm.as_str())),
        checksum_type: Some(ChecksumType::from_static(coverage.as_str())),
        upload_id: Some(id),
        ..Default::default()
    }))
}

pub(super) async fn upload_part(
    store: &Store,
    req: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let (mut input, trailers) = (req.input, req.trailing_headers);
    let body = read_body(input.body.take()).await?;
    check_md5(&body, input.content_md5.as_deref())?;
    let sent = sent_checksum!(input).or_else(|| trailing_checksum(trailers.as_ref()));
    check_sum(&body, sent.as_ref())?;
    let etag = hex(&md5(&body));
    let mut state = store.0.lock();
    let upload = state
        .uploads
        .get_mut(&input.upload_id)
        .ok_or_else(no_such_upload)?;
    upload.parts.insert(
        input.part_number,
        UploadedPart {
            etag: etag.clone(),
            body,
        },
    );
    let mut output = UploadPartOutput {
        e_tag: Some(ETag::Strong(etag)),
        ..Default::default()
    };
    if let Some((algorithm, value)) = sent {
        set_checksum!(output, algorithm, value);
    }
    Ok(S3Response::new(output))
}

pub(super) fn complete(
    store: &Store,
    input: CompleteMultipartUploadInput,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let mut state = store.0.lock();
    let upload = state
        .uploads
        .get(&input.upload_id)
        .ok_or_else(no_such_upload)?;
    let named = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .unwrap_or_default();
    let mut pieces = Vec::with_capacity(named.len());
    let mut last = 0;
    for part in named {
        let number = part.part_number.unwrap_or_default();
        if number <= last {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order."
            ));
        }
        last = number;
        let uploaded = upload.parts.get(&number);
        let is_named = |uploaded: &&UploadedPart| {
            part.e_tag
                .as_ref()
                .is_none_or(|etag| etag.value() == uploaded.etag)
        };
        let uploaded = uploaded
            .filter(is_named)
            .ok_or_else(|| s3_error!(InvalidPart, "part {number} was not found"))?;
        // AWS refuses parts below 5 MiB here; tests want small ones.
        pieces.push(Piece::Stored(uploaded.body.clone()));
    }
    if pieces.is_empty() {
        return Err(s3_error!(
            MalformedXML,
            "You must specify at least one part"
        ));
    }
    let mut object = Object::multipart(pieces, upload.algorithm, upload.coverage);
    object.content_type = upload.content_type.clone();
    object.metadata = upload.metadata.clone();
    object.storage_class = upload.storage_class.clone();
    let checksum = object
        .checksum
        .clone()
        .expect("a new object has a checksum");
    let when = Condition {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
    };
    let (bucket, key) = (upload.bucket.clone(), upload.key.clone());
    let stored = state.put(&bucket, &key, object, &when)?;
    state.uploads.remove(&input.upload_id);
    let mut output = CompleteMultipartUploadOutput {
        location: Some(format!("/{bucket}/{key}")),
        bucket: Some(bucket),
        key: Some(key),
        e_tag: Some(etag(&stored)),
        version_id: stored.version_id,
        checksum_type: Some(ChecksumType::from_static(checksum.coverage.as_str())),
        ..Default::default()
    };
    set_checksum!(output, checksum.algorithm, checksum.value);
    Ok(S3Response::new(output))
}

pub(super) fn abort(
    store: &Store,
    input: &AbortMultipartUploadInput,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    store
        .0
        .lock()
        .uploads
        .remove(&input.upload_id)
        .ok_or_else(no_such_upload)?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

fn no_such_upload() -> s3s::S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified multipart upload does not exist."
    )
}
