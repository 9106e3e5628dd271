//! PutObject, CopyObject and the two deletes.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use hyper::HeaderMap;
use s3s::dto::{
    ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETag, ETagCondition, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use super::checksum::{Algorithm, base64, md5, sent_checksum, set_checksum};
use super::object::{Content, Object, Piece};
use super::read::{algorithm, signed};
use super::state::{Condition, matches, precondition_failed};
use super::store::{Store, StoredVersion};

/// CopyObject's limit; larger ones have to be copied by parts.
const LARGEST_COPY: u64 = 5 * 1024 * 1024 * 1024;

pub(super) async fn put_object(
    store: &Store,
    req: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let (mut input, trailers) = (req.input, req.trailing_headers);
    let body = read_body(input.body.take()).await?;
    check_md5(&body, input.content_md5.as_deref())?;
    let sent = sent_checksum!(input).or_else(|| trailing_checksum(trailers.as_ref()));
    let named = algorithm(
        input
            .checksum_algorithm
            .as_ref()
            .map(|algorithm| algorithm.as_str()),
    )?;
    let used = sent
        .as_ref()
        .map(|(algorithm, _)| *algorithm)
        .or(named)
        .unwrap_or(Algorithm::Crc64Nvme);
    let mut object = Object::single(Piece::Stored(body), used);
    let checksum = object
        .checksum
        .clone()
        .expect("a new object has a checksum");
    if let Some((_, value)) = sent
        && value != checksum.value
    {
        return Err(bad_digest(used));
    }
    object.content_type = input.content_type;
    object.metadata = input.metadata.unwrap_or_default();
    object.storage_class = input.storage_class.map(|class| class.as_str().to_owned());
    let when = Condition {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
    };
    let stored = store
        .0
        .lock()
        .put(&input.bucket, &input.key, object, &when)?;
    let mut output = PutObjectOutput {
        e_tag: Some(etag(&stored)),
        version_id: stored.version_id,
        checksum_type: Some(ChecksumType::from_static(checksum.coverage.as_str())),
        ..Default::default()
    };
    set_checksum!(output, checksum.algorithm, checksum.value);
    Ok(S3Response::new(output))
}

pub(super) fn copy_object(
    store: &Store,
    req: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let mut when = destination_condition(&req.headers)?;
    if store.0.lock().ignores_if_none_match_on_copy {
        when.if_none_match = None;
    }
    let input = req.input;
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = &input.copy_source
    else {
        return Err(s3_error!(
            NotImplemented,
            "this S3 copies from buckets, not from access points"
        ));
    };
    let source = store.0.lock().find(bucket, key, version_id.as_deref())?;
    if input
        .copy_source_if_match
        .as_ref()
        .is_some_and(|condition| !matches(condition, &source.object))
    {
        return Err(precondition_failed("x-amz-copy-source-If-Match"));
    }
    if input
        .copy_source_if_none_match
        .as_ref()
        .is_some_and(|condition| matches(condition, &source.object))
    {
        return Err(precondition_failed("x-amz-copy-source-If-None-Match"));
    }
    if source.object.content.size() > LARGEST_COPY {
        let message =
            "The specified copy source is larger than the maximum allowable size for a copy source";
        return Err(s3_error!(InvalidRequest, "{message}: {LARGEST_COPY}"));
    }
    let named = algorithm(
        input
            .checksum_algorithm
            .as_ref()
            .map(|algorithm| algorithm.as_str()),
    )?;
    let mut object = source.object.copied(named);
    if input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == "REPLACE")
    {
        object.metadata = input.metadata.unwrap_or_default();
        object.content_type = input.content_type;
    }
    object.storage_class = input.storage_class.map(|class| class.as_str().to_owned());
    let checksum = object.checksum.clone().expect("a copy has a checksum");
    let stored = store
        .0
        .lock()
        .put(&input.bucket, &input.key, object, &when)?;
    let mut result = CopyObjectResult {
        e_tag: Some(etag(&stored)),
        last_modified: Some(Timestamp::from(stored.last_modified)),
        checksum_type: Some(ChecksumType::from_static(checksum.coverage.as_str())),
        ..Default::default()
    };
    set_checksum!(result, checksum.algorithm, checksum.value);
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source.version_id,
        version_id: stored.version_id,
        ..Default::default()
    }))
}

pub(super) fn delete_object(
    store: &Store,
    input: &DeleteObjectInput,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let version_id = input.version_id.as_deref();
    let deleted = store.0.lock().delete(
        &input.bucket,
        &input.key,
        version_id,
        input.if_match.as_ref(),
    )?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: deleted.is_marker.then_some(true),
        version_id: deleted.version_id,
        ..Default::default()
    }))
}

pub(super) fn delete_objects(
    store: &Store,
    input: DeleteObjectsInput,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let mut done = Vec::new();
    let mut errors = Vec::new();
    for object in input.delete.objects {
        let if_match = object.e_tag.map(ETagCondition::ETag);
        let version_id = object.version_id;
        match store.0.lock().delete(
            &input.bucket,
            &object.key,
            version_id.as_deref(),
            if_match.as_ref(),
        ) {
            Ok(deleted) => done.push(DeletedObject {
                key: Some(object.key),
                delete_marker: deleted.is_marker.then_some(true),
                delete_marker_version_id: deleted.version_id.filter(|_| deleted.is_marker),
                version_id,
            }),
            Err(error) => errors.push(s3s::dto::Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(object.key),
                message: error.message().map(str::to_owned),
                version_id,
            }),
        }
    }
    let deleted = (input.delete.quiet != Some(true)).then_some(done);
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted,
        errors: Some(errors),
        ..Default::default()
    }))
}

pub(super) async fn read_body(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(mut body) = body else {
        return Ok(Bytes::new());
    };
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk
            .map_err(|error| s3s::S3Error::with_source(s3s::S3ErrorCode::IncompleteBody, error))?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

pub(super) fn check_md5(body: &[u8], sent: Option<&str>) -> S3Result<()> {
    match sent {
        Some(sent) if sent != base64(&md5(body)) => {
            Err(s3_error!(BadDigest, "Content-MD5 is not that of the body"))
        }
        _ => Ok(()),
    }
}

/// SDKs send the checksum of a streamed body behind it.
pub(super) fn trailing_checksum(trailers: Option<&TrailingHeaders>) -> Option<(Algorithm, String)> {
    trailers?.read(|headers| {
        headers.iter().find_map(|(name, value)| {
            let algorithm = Algorithm::parse(name.as_str().strip_prefix("x-amz-checksum-")?)?;
            Some((algorithm, value.to_str().ok()?.trim().to_owned()))
        })
    })?
}

/// Whether the sent checksum is that of the bytes.
pub(super) fn check_sum(body: &Bytes, sent: Option<&(Algorithm, String)>) -> S3Result<()> {
    match sent {
        Some((algorithm, value))
            if *value != Content::new(vec![Piece::Stored(body.clone())]).checksum(*algorithm) =>
        {
            Err(bad_digest(*algorithm))
        }
        _ => Ok(()),
    }
}

fn bad_digest(algorithm: Algorithm) -> s3s::S3Error {
    let name = algorithm.as_str();
    s3_error!(
        BadDigest,
        "The {name} you specified did not match the calculated checksum."
    )
}

pub(super) fn etag(stored: &StoredVersion) -> ETag {
    ETag::Strong(stored.etag.trim_matches('"').to_owned())
}

/// s3s 0.14's CopyObjectInput does not know these two headers.
fn destination_condition(headers: &HeaderMap) -> S3Result<Condition> {
    let parse = |name: &str| {
        let value = headers
            .get(name)
            .map(|value| ETagCondition::parse_http_header(value.as_bytes()));
        value
            .transpose()
            .map_err(|error| s3_error!(error, InvalidArgument))
    };
    Ok(Condition {
        if_match: parse("if-match")?,
        if_none_match: parse("if-none-match")?,
    })
}

/// How many bytes a listing shows.
pub(super) fn listed_size(object: &Object) -> i64 {
    signed(object.content.size())
}
