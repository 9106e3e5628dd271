//! GetObject and HeadObject.

use std::ops::Range;

use s3s::dto::{
    ChecksumMode, ChecksumType, ETag, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, StorageClass, StreamingBlob, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Response, S3Result, s3_error};

use super::checksum::{Algorithm, Checksum, Coverage, set_checksum};
use super::object::Object;
use super::state::{Found, matches, precondition_failed};
use super::store::Store;

/// What GET and HEAD ask for alike.
struct Question<'a> {
    bucket: &'a str,
    key: &'a str,
    version_id: Option<&'a str>,
    if_match: Option<&'a ETagCondition>,
    if_none_match: Option<&'a ETagCondition>,
    range: Option<s3s::dto::Range>,
    part_number: Option<i32>,
    wants_checksum: bool,
}

/// What both answer.
struct Answer {
    found: Found,
    range: Range<u64>,
    content_range: Option<String>,
    parts_count: Option<i32>,
    checksum: Option<Checksum>,
}

/// The fields that both outputs have under the same names.
macro_rules! fill {
    ($output:expr, $answer:expr) => {{
        let object = &$answer.found.object;
        $output.accept_ranges = Some("bytes".to_owned());
        $output.content_length = Some(signed($answer.range.end - $answer.range.start));
        $output.content_range = $answer.content_range.clone();
        $output.content_type = Some(
            object
                .content_type
                .clone()
                .unwrap_or_else(|| "binary/octet-stream".to_owned()),
        );
        $output.e_tag = Some(ETag::Strong(object.etag.clone()));
        $output.last_modified = Some(Timestamp::from($answer.found.last_modified));
        $output.metadata = (!object.metadata.is_empty()).then(|| object.metadata.clone());
        $output.parts_count = $answer.parts_count;
        $output.storage_class = object.storage_class.clone().map(StorageClass::from);
        $output.version_id = $answer.found.version_id.clone();
        if let Some(checksum) = $answer.checksum {
            $output.checksum_type = Some(ChecksumType::from_static(checksum.coverage.as_str()));
            set_checksum!($output, checksum.algorithm, checksum.value);
        }
    }};
}

pub(super) fn get_object(
    store: &Store,
    input: GetObjectInput,
) -> S3Result<S3Response<GetObjectOutput>> {
    let answer = answer(
        store,
        &Question {
            bucket: &input.bucket,
            key: &input.key,
            version_id: input.version_id.as_deref(),
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            range: input.range,
            part_number: input.part_number,
            wants_checksum: wants(input.checksum_mode.as_ref()),
        },
    )?;
    if answer
        .found
        .object
        .storage_class
        .as_deref()
        .is_some_and(is_archive)
    {
        return Err(s3_error!(
            InvalidObjectState,
            "The operation is not valid for the object's storage class"
        ));
    }
    let content = answer.found.object.content.slice(answer.range.clone());
    let mut output = GetObjectOutput {
        body: Some(StreamingBlob::new(content)),
        ..Default::default()
    };
    fill!(output, answer);
    Ok(S3Response::new(output))
}

pub(super) fn head_object(
    store: &Store,
    input: HeadObjectInput,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let answer = answer(
        store,
        &Question {
            bucket: &input.bucket,
            key: &input.key,
            version_id: input.version_id.as_deref(),
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            range: input.range,
            part_number: input.part_number,
            wants_checksum: wants(input.checksum_mode.as_ref()),
        },
    )?;
    let mut output = HeadObjectOutput::default();
    fill!(output, answer);
    let mut response = S3Response::new(output);
    if response.output.content_range.is_some() {
        // s3s does so for GET alone.
        response.status = Some(hyper::StatusCode::PARTIAL_CONTENT);
    }
    Ok(response)
}

fn answer(store: &Store, question: &Question<'_>) -> S3Result<Answer> {
    let (found, part_number) = {
        let state = store.0.lock();
        (
            state.find(question.bucket, question.key, question.version_id)?,
            question.part_number.filter(|_| !state.ignores_part_numbers),
        )
    };
    let object = &*found.object;
    if question
        .if_match
        .is_some_and(|condition| !matches(condition, object))
    {
        return Err(precondition_failed("If-Match"));
    }
    if question
        .if_none_match
        .is_some_and(|condition| matches(condition, object))
    {
        return Err(s3_error!(NotModified));
    }
    let size = object.content.size();
    let range = match (part_number, question.range) {
        (Some(_), Some(_)) => {
            return Err(s3_error!(
                InvalidRequest,
                "Cannot specify both Range header and partNumber query parameter"
            ));
        }
        (Some(number), None) => Some(part_range(object, number)?),
        (None, Some(range)) => Some(satisfy(range, size)?),
        (None, None) => None,
    };
    let checksum = if question.wants_checksum {
        checksum_of(object, range.as_ref(), part_number)
    } else {
        None
    };
    let parts_count = part_number
        .filter(|_| !object.parts.is_empty())
        .map(|_| count(object.parts.len()));
    // An empty object has no first byte to name: part 1 of it is answered with 200.
    let content_range = range
        .as_ref()
        .filter(|range| !range.is_empty())
        .map(|range| format!("bytes {}-{}/{size}", range.start, range.end - 1));
    let range = range.unwrap_or(0..size);
    Ok(Answer {
        range,
        content_range,
        parts_count,
        checksum,
        found,
    })
}

fn wants(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn is_archive(class: &str) -> bool {
    matches!(class, "GLACIER" | "DEEP_ARCHIVE")
}

/// Any range of an empty object is 416, a suffix too; s3s's own check would let that one pass.
fn satisfy(range: s3s::dto::Range, size: u64) -> S3Result<Range<u64>> {
    let invalid = || s3_error!(InvalidRange, "The requested range is not satisfiable");
    if size == 0 {
        return Err(invalid());
    }
    range.check(size).map_err(|_| invalid())
}

fn part_range(object: &Object, number: i32) -> S3Result<Range<u64>> {
    if object.parts.is_empty() && number == 1 {
        return Ok(0..object.content.size());
    }
    let index = usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(1));
    let Some((index, part)) = index.and_then(|index| Some((index, object.parts.get(index)?)))
    else {
        let code = S3ErrorCode::Custom("InvalidPartNumber".into());
        let mut error = S3Error::with_message(code, "The requested partnumber is not satisfiable");
        error.set_status_code(hyper::StatusCode::RANGE_NOT_SATISFIABLE);
        return Err(error);
    };
    let start: u64 = object.parts[..index].iter().map(|part| part.size).sum();
    Ok(start..start + part.size)
}

/// S3 answers a checksum only where it knows one of just these bytes.
fn checksum_of(
    object: &Object,
    range: Option<&Range<u64>>,
    part_number: Option<i32>,
) -> Option<Checksum> {
    let whole = object.checksum.clone()?;
    let Some(range) = range else {
        return Some(whole);
    };
    let covers_everything = *range == (0..object.content.size());
    if covers_everything && part_number.is_none() {
        return Some(match whole.coverage {
            Coverage::FullObject => whole,
            // What AWS does (boto/botocore#3346): the checksum of checksums, but without the `-N` that tells clients
            // not to compare it with the bytes.
            Coverage::Composite => {
                let value = whole.value.split('-').next().unwrap_or_default().to_owned();
                Checksum { value, ..whole }
            }
        });
    }
    if object.parts.is_empty() {
        return covers_everything.then_some(whole);
    }
    // By number or by a range that happens to be a part. AWS keeps the parts' own checksums of composite objects only.
    let mut start = 0;
    for part in &object.parts {
        let end = start + part.size;
        if *range == (start..end) {
            let value = part.checksum.clone()?;
            return Some(Checksum { value, ..whole });
        }
        start = end;
    }
    None
}

fn count(parts: usize) -> i32 {
    i32::try_from(parts).expect("an upload has ten thousand parts at most")
}

pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).expect("objects are smaller than 2^63 bytes")
}

/// Used by the other modules to say which algorithm a header names.
pub(super) fn algorithm(name: Option<&str>) -> S3Result<Option<Algorithm>> {
    name.map(|name| {
        Algorithm::parse(name)
            .ok_or_else(|| s3_error!(InvalidRequest, "this S3 does not know the checksum {name}"))
    })
    .transpose()
}
