//! Seeded mutations: the same number gives the same bytes on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 where there is nothing below it.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Sizes that overflow, are negative, or are just too large. With 2^14 for a side most networks are still sound; they must then compile.
pub const HUGE: [i64; 12] = [
    0,
    -1,
    1 << 14,
    (1 << 31) - 1,
    1 << 31,
    1 << 32,
    1 << 40,
    (1 << 61) + 1,
    i64::MAX / 4,
    i64::MAX,
    i64::MIN,
    -(1 << 33),
];

/// Two files as one, so that each kind has files of one piece.
pub fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    let length = u64::try_from(first.len()).unwrap().to_le_bytes();
    [length.as_slice(), first, second].concat()
}

/// The two files again.
pub fn parted(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk().unwrap();
    rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap())
}

/// The bytes with one to three changes.
pub fn bytes(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        change(&mut bytes, random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    match random.below(9) {
        0 => bytes.truncate(at),
        1 | 2 => {
            for _ in 0..=random.below(8) {
                let at = random.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        3 => {
            for byte in bytes.iter_mut().skip(at).take(1 + random.below(10)) {
                *byte = *random.pick(&[0, 1, 0x7f, 0x80, 0xff]);
            }
        }
        // A varint that is large.
        4 => {
            let length = random.below(9);
            for (index, byte) in bytes.iter_mut().skip(at).take(length + 1).enumerate() {
                *byte = if index == length { 0x7f } else { 0xff };
            }
        }
        5 => {
            let value = *random.pick(&HUGE);
            let width = *random.pick(&[2, 4, 8]);
            for (byte, new) in bytes.iter_mut().skip(at).take(width).zip(value.to_le_bytes()) {
                *byte = new;
            }
        }
        6 => {
            let end = (at + 1 + random.below(64)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        7 => {
            let some: Vec<u8> = (0..random.below(64)).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, some);
        }
        _ => {
            let from = random.below(bytes.len());
            let part: Vec<u8> = bytes.iter().skip(from).take(1 + random.below(200)).copied().collect();
            bytes.splice(at..at, part);
        }
    }
}

/// Text with one to three changes: bytes as above, or numbers, or lines.
pub fn text(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut result = text.to_vec();
    for _ in 0..=random.below(3) {
        match random.below(4) {
            0 => change(&mut result, random),
            1 => {
                let digits: Vec<usize> =
                    (0..result.len()).filter(|&at| result.get(at).is_some_and(u8::is_ascii_digit)).collect();
                if !digits.is_empty() {
                    let at = *random.pick(&digits);
                    let value = random.pick(&HUGE).to_string();
                    result.splice(at..=at, value.into_bytes());
                }
            }
            2 => {
                let sign = *random.pick(b"-:;'\"{}[]#&*!|>%@x0(), \n\t\0");
                let at = random.below(result.len());
                let times = if random.below(20) == 0 { 5000 } else { 1 };
                result.splice(at..at, std::iter::repeat_n(sign, times));
            }
            _ => {
                let mut lines: Vec<Vec<u8>> = result.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
                let (from, to) = (random.below(lines.len()), random.below(lines.len()));
                if random.below(2) == 0 {
                    lines.swap(from, to);
                } else {
                    let line = lines[from].clone();
                    lines.insert(to, line);
                }
                result = lines.join(&b'\n');
            }
        }
    }
    result
}
