//! Mutations of seeds by chance: a bit, a byte, a run of bytes more, less, twice, or from another seed.

/// The longest input, as for the fuzzer (`-max_len`).
const MOST: usize = 8192;

/// What breaks more than chance does.
const TELLING: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\x1b[31m",
    b"\x7f",
    b"\xc2\x85",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"/",
    b"//",
    b"../",
    b"..\\",
    b"%",
    b"%2F",
    b"+",
    b"{key}",
    b"{tag}",
    b"=",
    b"-",
    b"0",
    b"-1",
    b"18446744073709551616",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
];

/// Of the same seeds by the same number the same ones.
pub(crate) struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    dice: Dice,
}

impl<'a> Mutations<'a> {
    pub(crate) fn of(seeds: &'a [Vec<u8>], number: u64) -> Self {
        Self {
            seeds,
            dice: Dice(number),
        }
    }

    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        // Often one, seldom many.
        let mut steps = 1;
        while steps < 32 && self.dice.below(3) > 0 {
            steps += 1;
        }
        for _ in 0..steps {
            self.mutate(&mut input);
        }
        input.truncate(MOST);
        input
    }

    fn seed(&mut self) -> &'a [u8] {
        &self.seeds[self.dice.below(self.seeds.len())]
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.dice.below(input.len() + 1);
        let length = 1 + self.dice.below(16);
        let end = (at + length).min(input.len());
        let byte = self.dice.byte();
        match self.dice.below(8) {
            0 => {
                if let Some(it) = input.get_mut(at) {
                    *it ^= 1 << (byte % 8);
                }
            }
            1 => {
                if let Some(it) = input.get_mut(at) {
                    *it = byte;
                }
            }
            2 => drop(input.drain(at..end)),
            3 => {
                let twice = input[at..end].to_vec();
                input.splice(at..at, twice);
            }
            4 => {
                let random: Vec<u8> = (0..length).map(|_| self.dice.byte()).collect();
                input.splice(at..at, random);
            }
            5 => {
                let telling = TELLING[self.dice.below(TELLING.len())];
                input.splice(at..at, telling.iter().copied());
            }
            6 => {
                let other = self.seed();
                let from = self.dice.below(other.len() + 1);
                let to = (from + 1 + self.dice.below(64)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => input.truncate(at.max(1)),
        }
    }
}

/// SplitMix64: few lines, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).expect("it is below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}
