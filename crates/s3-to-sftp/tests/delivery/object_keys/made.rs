//! Keys of every odd kind, the same for the same seed.

/// The longest key that S3 takes, in bytes.
const KEY_MAX: usize = 1024;

/// What a name may be made of.
const PIECES: &[&str] = &[
    // The same letter composed and decomposed, ligatures, and syllables that fall apart.
    "\u{dc}ber",
    "U\u{308}ber",
    "\u{fb01}n",
    "\u{ac00}",
    "\u{1100}\u{1161}",
    "\u{1e69}",
    "s\u{323}\u{307}",
    "\u{212b}",
    // Right to left, and what turns the direction around.
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{202e}fdp.exe",
    "\u{200f}",
    "\u{2066}x\u{2069}",
    // Joined, invisible, and beyond the basic plane.
    "\u{1f389}",
    "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\u{200b}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "\u{2028}",
    // Quotes, and what shells, SQL, HTML and XML make of a name.
    "'",
    "\"",
    "`",
    "$(id)",
    "${HOME}",
    ";",
    "|",
    "&",
    "<b>",
    "*",
    "?",
    "[a]",
    "!",
    "#",
    "~",
    "&amp;",
    "&#13;",
    "]]>",
    "' OR 1=1",
    // A backslash is a letter, but beside dots.
    "\\",
    "\\\\",
    "a\\b",
    "C:\\x",
    "\\n",
    // Encoded, or looking so.
    "%",
    "%20",
    "%2F",
    "%2e%2e",
    "%00",
    "%25",
    "%C3%BC",
    "%zz",
    "+",
    "++",
    "%2B",
    "=?utf-8?Q?x?=",
    "&lt;",
    // Blanks, dashes, dots.
    " ",
    "  ",
    "\u{a0}",
    "\u{3000}",
    "-",
    "--rf",
    "-o",
    "...",
    "a.",
    ".x",
    "..x",
    "x..",
    // Names that mean something to somebody.
    ".part",
    ".tmp",
    ".f.0123456789abcdef0123.part",
    "{key}",
    "{tag}",
    "{{",
    "CON",
    "NUL",
    "aux.txt",
    ".htaccess",
    "authorized_keys",
    "@",
    ":",
    ",",
    "=",
    "report",
    "data",
    "x",
];

/// What a name must not hold.
const BAD_PIECES: &[&str] = &[
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{9b}",
    "\u{80}",
    "\u{1f}",
];

/// What no part of a path may be.
const BAD_SEGMENTS: &[&str] = &["", ".", "..", "..\\..", "x\\..", ".\\x", "\\..\\"];

/// So many keys, no two alike, and none a directory of another.
pub(super) fn keys(seed: u64, count: usize) -> Vec<String> {
    let mut dice = Dice(seed);
    (0..count).map(|number| key(&mut dice, number)).collect()
}

fn key(dice: &mut Dice, number: usize) -> String {
    // No piece has it, so that the last segment is like no other.
    let own = format!("n{number}");
    let mut segments: Vec<String> = (0..dice.below(4)).map(|_| segment(dice, 5)).collect();
    let mut last = segment(dice, 5);
    let at = dice.below(2) * last.len();
    last.insert_str(at, &own);
    segments.push(last);
    match dice.below(20) {
        0 => {
            let at = dice.below(segments.len());
            let bad = dice.one_of(BAD_PIECES);
            segments[at].push_str(bad);
        }
        1 => {
            let at = dice.below(segments.len());
            segments.insert(at, dice.one_of(BAD_SEGMENTS).to_owned());
        }
        2 => segments.insert(0, String::new()),
        3 => segments.push(String::new()),
        4 => segments.insert(0, dice.one_of(&[".ssh", ".SSH", ".Ssh"]).to_owned()),
        // At the edge of what file systems take, and beyond it.
        5 => {
            let length = 254 + dice.below(4);
            let last = segments.last_mut().expect("there is one");
            fill(last, length, dice);
        }
        // As long as a key may be.
        6 => {
            while segments.len() < 5 {
                segments.insert(0, segment(dice, 5));
            }
            segments.truncate(4);
            segments.push(own.clone());
            let mut left = KEY_MAX - (segments.len() - 1);
            let count = segments.len();
            for (at, segment) in segments.iter_mut().enumerate() {
                let share = left / (count - at);
                fill(segment, share, dice);
                left -= segment.len();
            }
        }
        _ => {}
    }
    let key = segments.join("/");
    if key.len() <= KEY_MAX { key } else { own }
}

/// A name of some pieces, which is no path.
fn segment(dice: &mut Dice, most: usize) -> String {
    let pieces = 1 + dice.below(most);
    let name: String = (0..pieces).map(|_| dice.one_of(PIECES)).collect();
    // A name of dots alone is made on purpose only.
    if matches!(name.as_str(), "." | "..") {
        "x".to_owned()
    } else {
        name
    }
}

/// Makes a name exactly so many bytes long.
fn fill(name: &mut String, length: usize, dice: &mut Dice) {
    let wide = dice.one_of(&["\u{fc}", "\u{1f389}", "%2F", "y"]);
    while name.len() > length {
        name.pop();
    }
    while name.len() + wide.len() <= length {
        name.push_str(wide);
    }
    while name.len() < length {
        name.push('y');
    }
}

/// SplitMix64: few lines, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % most as u64).expect("it is below a usize")
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}
