//! A region of a picture in another size (`docs/numerics.md`, section 10).

use super::{centred, round_half_even_shift};
use std::fmt;

/// Bits of the weight of a cell along one axis.
const WEIGHT_BITS: u32 = 11;

/// The part of a picture that is resized, in pixels; `right` and `bottom` are the first beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionOfInterest {
    /// The first column.
    pub left: i32,
    /// The first row.
    pub top: i32,
    /// Behind the last column.
    pub right: i32,
    /// Behind the last row.
    pub bottom: i32,
}

impl RegionOfInterest {
    /// The bytes of a region: four little-endian int32.
    pub const BYTES: usize = 16;

    /// The region that these bytes hold; none for another number of bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<4>() else { return None };
        let &[left, top, right, bottom] = words else { return None };
        let [left, top, right, bottom] = [left, top, right, bottom].map(i32::from_le_bytes);
        Some(Self { left, top, right, bottom })
    }

    /// The bytes of the region.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        [self.left, self.top, self.right, self.bottom].into_iter().flat_map(i32::to_le_bytes).collect()
    }

    /// Checks that it is a part of a picture of this height and width.
    ///
    /// # Errors
    /// When it is empty or reversed, or not all of it is in the picture.
    pub fn check(&self, [height, width]: [usize; 2]) -> Result<(), String> {
        let order = "left, top, right, bottom; right and bottom are the first beyond it";
        if self.left >= self.right || self.top >= self.bottom {
            return Err(format!("the region {self} ({order}) is empty"));
        }
        let within =
            |low: i32, high: i32, size: usize| low >= 0 && usize::try_from(high).is_ok_and(|high| high <= size);
        if within(self.left, self.right, width) && within(self.top, self.bottom, height) {
            return Ok(());
        }
        Err(format!(
            "the region {self} ({order}) is not inside of the picture, which is {width} wide and {height} high"
        ))
    }
}

impl fmt::Display for RegionOfInterest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}, {}, {}, {}]", self.left, self.top, self.right, self.bottom)
    }
}

/// The cells of a plane that a cell of the result lies between, and the weight of the second one, of 2^11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Between {
    first: usize,
    second: usize,
    weight: i64,
}

/// A region in another size, of a plane of which each cell covers `block` x `block` pixels.
#[derive(Clone, Copy, Debug)]
pub struct RoiResize {
    /// Inside of the picture, as [`RegionOfInterest::check`] says.
    pub region: RegionOfInterest,
    /// At least 1.
    pub block: usize,
    /// Rows and columns of the result; at most 2^16, and at least 1.
    pub size: [usize; 2],
}

impl RoiResize {
    /// The cell of the result in a row and a column, around 0 as [`centred`] bytes are. `plane` gives the byte of the plane in a row and a
    /// column; it is asked for cells of the region alone. None where it gives none.
    pub fn cell(&self, [row, column]: [usize; 2], plane: impl Fn(usize, usize) -> Option<u8>) -> Option<i8> {
        let RegionOfInterest { left, top, right, bottom } = self.region;
        let row = self.between(row, self.size[0], (top, bottom));
        let column = self.between(column, self.size[1], (left, right));
        let value = |row: usize, column: usize| Some(i64::from(centred(plane(row, column)?)));
        let along = |row: usize| Some(mean([value(row, column.first)?, value(row, column.second)?], column.weight));
        let sum = mean([along(row.first)?, along(row.second)?], row.weight);
        // Between four int8, so it is one.
        Some(round_half_even_shift(sum, 2 * WEIGHT_BITS) as i8)
    }

    /// Where a row or column of the result lies: the middles of the result's cells divide the region evenly, and cells beyond its border are
    /// those at the border.
    fn between(&self, position: usize, size: usize, (start, end): (i32, i32)) -> Between {
        let [position, size, block] = [position, size, self.block].map(|value| value as i64);
        let (start, end) = (i64::from(start), i64::from(end));
        let denominator = (2 * size * block).max(1);
        let numerator = (2 * position + 1) * (end - start) + 2 * size * start - block * size;
        let (cell, part) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
        let (low, high) = (start.div_euclid(block), (end - 1).div_euclid(block));
        let within = |cell: i64| cell.clamp(low, high.max(low)) as usize;
        Between { first: within(cell), second: within(cell + 1), weight: ratio(part << WEIGHT_BITS, denominator) }
    }
}

/// `(2^11 - weight) · first + weight · second`.
fn mean([first, second]: [i64; 2], weight: i64) -> i64 {
    ((1 << WEIGHT_BITS) - weight) * first + weight * second
}

/// The quotient of two that are not negative, to the nearest integer, of two such to the even one.
fn ratio(numerator: i64, denominator: i64) -> i64 {
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    let up = match (2 * rest).cmp(&denominator) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i64::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(plane: &[&[u8]], region: [i32; 4], block: usize, size: [usize; 2]) -> Vec<u8> {
        let [left, top, right, bottom] = region;
        let region = RegionOfInterest { left, top, right, bottom };
        assert_eq!(region.check([plane.len() * block, plane[0].len() * block]), Ok(()));
        let resize = RoiResize { region, block, size };
        let cells = (0..size[0]).flat_map(|row| (0..size[1]).map(move |column| [row, column]));
        let cell = |at| resize.cell(at, |row, column| plane.get(row)?.get(column).copied()).unwrap();
        // As bytes around 128 again.
        cells.map(|at| (cell(at) as u8).wrapping_add(128)).collect()
    }

    /// On paper. Two cells 0 and 100 in four: -1/4, 1/4, 3/4, 5/4 of the way, the first and the last at the border.
    #[test]
    fn twice_as_wide() {
        assert_eq!(resized(&[&[7, 0, 100, 9]], [1, 0, 3, 1], 1, [1, 4]), [0, 25, 75, 100]);
    }

    /// Four cells in two: the middle of each pair. 0.5 is rounded to the even 0, 1.5 to 2; around 128 that is -127.5 to -128, -126.5 to -126.
    #[test]
    fn half_as_wide_and_ties_to_even() {
        assert_eq!(resized(&[&[0, 1, 1, 2]], [0, 0, 4, 1], 1, [1, 2]), [0, 2]);
        assert_eq!(resized(&[&[10, 20], &[30, 40]], [0, 0, 2, 2], 1, [1, 1]), [25]);
    }

    /// The same size is the same cells, also of a plane of which each covers 2x2 pixels.
    #[test]
    fn the_same_size_changes_nothing() {
        assert_eq!(resized(&[&[1, 2, 3], &[4, 5, 6]], [1, 0, 3, 2], 1, [2, 2]), [2, 3, 5, 6]);
        assert_eq!(resized(&[&[1, 2, 3], &[4, 5, 6]], [0, 0, 6, 4], 2, [2, 3]), [1, 2, 3, 4, 5, 6]);
    }

    /// Pixels 1 to 5 of 2x2 blocks, one cell: the middle is pixel edge 3, 3/2 blocks, the middle of the second block.
    #[test]
    fn a_region_may_begin_inside_of_a_block() {
        assert_eq!(resized(&[&[10, 50, 90]], [1, 0, 5, 2], 2, [1, 1]), [50]);
    }

    #[derive(serde::Deserialize)]
    struct Case {
        plane: Vec<Vec<u8>>,
        region: [i32; 4],
        block: usize,
        size: [usize; 2],
        expected: Vec<Vec<i8>>,
    }

    /// tests/data/preprocessing/make_region_cases.py
    #[test]
    fn regions_are_what_numpy_makes_of_them() {
        let cases = include_str!("../../tests/data/preprocessing/region_cases.json");
        for case in serde_json::from_str::<Vec<Case>>(cases).unwrap() {
            let rows: Vec<&[u8]> = case.plane.iter().map(Vec::as_slice).collect();
            let found = resized(&rows, case.region, case.block, case.size);
            let found: Vec<i8> = found.into_iter().map(|byte| byte.wrapping_sub(128) as i8).collect();
            assert_eq!(found, case.expected.concat(), "{:?} to {:?}", case.region, case.size);
        }
    }

    #[test]
    fn regions_outside_of_the_picture_are_refused() {
        let check = |left, top, right, bottom| RegionOfInterest { left, top, right, bottom }.check([4, 6]);
        assert_eq!(check(0, 0, 6, 4), Ok(()));
        for (region, text) in [
            ((0, 0, 7, 4), "not inside"),
            ((0, 0, 6, 5), "not inside"),
            ((-1, 0, 6, 4), "not inside"),
            ((0, i32::MIN, 6, 4), "not inside"),
            ((2, 0, 2, 4), "empty"),
            ((5, 0, 2, 4), "empty"),
            ((0, 3, 6, 1), "empty"),
            ((0, 0, i32::MAX, i32::MAX), "not inside"),
        ] {
            let (left, top, right, bottom) = region;
            assert!(check(left, top, right, bottom).unwrap_err().contains(text), "{region:?}");
        }
    }
}
