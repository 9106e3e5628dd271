//! What is uploaded: files of the kinds that partners exchange, under names that go wrong where keys are decoded
//! twice, never, or by the wrong rules. The same bytes in every run, so that the transcript can be printed in a README.

use std::fmt::Write;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use testkit::payload;

use crate::Failure;
use crate::world::BUCKET;

/// The AWS CLI uploads what is larger in parts of this size.
const PART: usize = 8 * 1024 * 1024;

/// A file to upload.
pub(crate) struct Sample {
    pub(crate) key: &'static str,
    pub(crate) content: Bytes,
}

/// Everything that is uploaded, in order.
pub(crate) fn all() -> Vec<Sample> {
    let text = "C++ in names: a `+` is a plus sign, and only in a notification also a space.\n";
    [
        ("orders 2026-07.csv", csv(60_000).into()),
        (
            "invoices/2026/Müller & Söhne 07.pdf",
            pdf(&payload::seeded(7, 900_000)).into(),
        ),
        ("notes/C++ (a+b) 100%.txt", text.into()),
        ("flags/2026-07-27.done", Bytes::new()),
        (
            "backup/2026/07/27/db.dump",
            payload::seeded(27, 12 * 1024 * 1024 + 1),
        ),
    ]
    .map(|(key, content)| Sample { key, content })
    .into()
}

impl Sample {
    /// Uploads it as the AWS CLI does: in one request, or a large one in parts.
    pub(crate) async fn upload(&self, client: &aws_sdk_s3::Client) -> Result<(), Failure> {
        let uploaded = if self.content.len() > PART {
            self.upload_parts(client).await
        } else {
            let put = client.put_object().bucket(BUCKET).key(self.key);
            let body = ByteStream::from(self.content.clone());
            put.body(body).send().await.map(drop).map_err(Into::into)
        };
        uploaded.map_err(|error: aws_sdk_s3::Error| {
            format!("cannot upload {}: {}", self.key, DisplayErrorContext(error)).into()
        })
    }

    async fn upload_parts(&self, client: &aws_sdk_s3::Client) -> Result<(), aws_sdk_s3::Error> {
        let create = client.create_multipart_upload();
        let created = create.bucket(BUCKET).key(self.key).send().await?;
        let id = created.upload_id().unwrap_or_default();
        let mut parts = CompletedMultipartUpload::builder();
        for (number, start) in (1..).zip((0..self.content.len()).step_by(PART)) {
            let part = self
                .content
                .slice(start..self.content.len().min(start + PART));
            let upload = client.upload_part().bucket(BUCKET).key(self.key);
            let upload = upload.upload_id(id).part_number(number);
            let uploaded = upload.body(part.into()).send().await?;
            let completed = CompletedPart::builder().part_number(number);
            let completed = completed.set_e_tag(uploaded.e_tag().map(str::to_owned));
            parts = parts.parts(
                completed
                    .set_checksum_crc32(uploaded.checksum_crc32)
                    .build(),
            );
        }
        let complete = client.complete_multipart_upload();
        let complete = complete.bucket(BUCKET).key(self.key).upload_id(id);
        complete.multipart_upload(parts.build()).send().await?;
        Ok(())
    }
}

/// Orders of a month, as a shop's system exports them: UTF-8, a field that needs quotes, amounts that add up.
fn csv(rows: u32) -> String {
    const CUSTOMERS: [&str; 6] = [
        "Müller & Söhne GmbH",
        "\"Ångström, Berg & Co\"",
        "Société Générale d'Outillage",
        "ACME Corp.",
        "\"The \"\"Old\"\" Mill Ltd\"",
        "Żółw S.A.",
    ];
    const ARTICLES: [(&str, u32); 5] = [
        ("Hex bolt M8x40", 23),
        ("Wood glue 750 g", 895),
        ("Cordless drill 18 V", 12_900),
        ("Sandpaper P120", 119),
        ("Ladder 3 m", 8_450),
    ];
    let mut random = payload::seeded(2026, rows as usize * 4).into_iter();
    let mut pick = |count: usize| usize::from(random.next().unwrap_or_default()) % count;
    let mut text =
        "order,ordered_at,customer,country,article,quantity,unit_price,amount\n".to_owned();
    for row in 0..rows {
        let minutes = u64::from(row) * 31 * 24 * 60 / u64::from(rows);
        let (day, hour, minute) = (minutes / 1440 + 1, minutes / 60 % 24, minutes % 60);
        let customer = CUSTOMERS[pick(CUSTOMERS.len())];
        let country = ["DE", "SE", "FR", "PL", "GB"][pick(5)];
        let (article, cents) = ARTICLES[pick(ARTICLES.len())];
        let quantity = [1, 2, 3, 5, 10, 25, 100][pick(7)];
        writeln!(
            text,
            "{},2026-07-{day:02}T{hour:02}:{minute:02}:00Z,{customer},{country},{article},{quantity},{},{}",
            4_700_000 + row,
            Money(cents),
            Money(cents * quantity),
        )
        .expect("a string takes everything");
    }
    text
}

/// Cents as an amount.
struct Money(u32);

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// A PDF of one page that viewers open, with `attachment` in it as a binary stream.
fn pdf(attachment: &[u8]) -> Vec<u8> {
    let page = b"BT /F1 24 Tf 72 720 Td (Invoice 2026-07) Tj ET";
    let objects: [(&str, Option<&[u8]>); 6] = [
        ("/Type /Catalog /Pages 2 0 R", None),
        ("/Type /Pages /Kids [3 0 R] /Count 1", None),
        (
            "/Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
             /Resources << /Font << /F1 5 0 R >> >>",
            None,
        ),
        ("", Some(page)),
        ("/Type /Font /Subtype /Type1 /BaseFont /Helvetica", None),
        ("/Type /EmbeddedFile", Some(attachment)),
    ];
    // The second line tells programs that this is not text.
    let mut file = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, (entries, stream)) in (1..).zip(objects) {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend(format!("{number} 0 obj\n<< {entries}").bytes());
        if let Some(stream) = stream {
            file.extend(format!(" /Length {} >>\nstream\n", stream.len()).bytes());
            file.extend(stream);
            file.extend(b"\nendstream\nendobj\n");
        } else {
            file.extend(b" >>\nendobj\n");
        }
    }
    let start = file.len();
    file.extend(table.bytes());
    let size = objects.len() + 1;
    file.extend(
        format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").bytes(),
    );
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_csv_is_some_megabytes_and_the_same_in_every_run() {
        let text = csv(60_000);
        assert!(
            (4_000_000..8_000_000).contains(&text.len()),
            "{}",
            text.len()
        );
        assert_eq!(text, csv(60_000));
    }

    #[test]
    fn every_order_has_all_fields_and_adds_up() {
        let text = csv(500);
        assert_eq!(text.lines().count(), 501);
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.rsplitn(6, ',').collect();
            let [amount, price, quantity, _, country, _] = fields[..] else {
                panic!("{line}");
            };
            let cents = |amount: &str| amount.replace('.', "").parse::<u32>().expect("an amount");
            let quantity: u32 = quantity.parse().expect("a number");
            assert_eq!(cents(price) * quantity, cents(amount), "{line}");
            assert_eq!(country.len(), 2, "{line}");
        }
        assert!(
            text.lines()
                .nth(1)
                .expect("a row")
                .starts_with("4700000,2026-07-01T00:00:00Z,")
        );
        assert!(text.lines().last().expect("a row").contains(",2026-07-31T"));
    }

    #[test]
    fn the_pdf_says_where_its_objects_are() {
        let attachment = [0, 255, b'\n', b'\r', 128];
        let file = pdf(&attachment);
        let find = |wanted: &[u8]| file.windows(wanted.len()).position(|bytes| bytes == wanted);
        let offset = |text: &[u8]| -> usize {
            let text = std::str::from_utf8(text).expect("digits");
            text.trim().parse().expect("a number")
        };
        let start = find(b"startxref\n").expect("a pointer to the table") + 10;
        let table = offset(&file[start..file.len() - "\n%%EOF\n".len()]);
        assert!(file[table..].starts_with(b"xref\n0 7\n"));
        let entries = table + "xref\n0 7\n".len();
        for number in 1..=6 {
            let at = offset(&file[entries + number * 20..][..10]);
            assert!(file[at..].starts_with(format!("{number} 0 obj\n").as_bytes()));
        }
        assert!(find(&attachment).is_some());
    }

    #[test]
    fn the_names_are_the_awkward_ones() {
        let files = all();
        let has = |wanted: &dyn Fn(&Sample) -> bool| files.iter().any(wanted);
        assert!(has(&|file| file.key.contains(' ')));
        assert!(has(&|file| file.key.contains('+')));
        assert!(has(&|file| file.key.contains('ü')));
        assert!(has(&|file| file.key.split('/').count() > 3));
        assert!(has(&|file| file.content.is_empty()));
        assert!(has(&|file| file.content.len() > PART));
    }
}
