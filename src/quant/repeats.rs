//! Areas in which nothing changes: the padding of a sample, and what a network makes of it.
//!
//! A line of text at the left of a wide image, a letterboxed picture, silence: their many equal values say once what they say. Counted each, they
//! decide the distribution of a value, and ranges that fit it cut off what the samples are about.

/// Slices of fewer values are not looked at: they are the same by chance, as numbers that a gate or a clip holds at its end.
const SMALLEST_SLICE: usize = 16;
/// Values that differ by no more than this part of the largest magnitude are the same: roundings of f32, and a five-hundredth of a step of int8.
const SAME: f32 = 1.0 / (1 << 16) as f32;

/// So many slices of a run may differ from the one that the run begins with; what comes behind them counts as it is.
const PASSES: usize = 4;

/// The values of a tensor without the slices, along any axis, that are the same as one before them with nothing else between; none where there are no such
/// slices. `largest` is the largest magnitude of the values.
pub fn without_repeats(values: &[f32], shape: &[usize], largest: f32) -> Option<Vec<f32>> {
    if shape.iter().product::<usize>() != values.len() || values.is_empty() {
        return None;
    }
    let mut is_repeat: Option<Vec<bool>> = None;
    let mut inner = values.len();
    for &size in shape {
        inner /= size;
        if size < 2 || values.len() / size < SMALLEST_SLICE {
            continue;
        }
        let repeats = repeated_slices(values, size, inner, largest * SAME);
        if !repeats.is_empty() {
            let marks = is_repeat.get_or_insert_with(|| vec![false; values.len()]);
            for plane in marks.chunks_exact_mut(size * inner) {
                for &index in &repeats {
                    plane.iter_mut().skip(index * inner).take(inner).for_each(|mark| *mark = true);
                }
            }
        }
    }
    let is_repeat = is_repeat?;
    Some(values.iter().zip(&is_repeat).filter(|(_, repeat)| !**repeat).map(|(value, _)| *value).collect())
}

/// Which slices along an axis of this size are the same as one before them, with nothing else between the two.
fn repeated_slices(values: &[f32], size: usize, inner: usize, tolerance: f32) -> Vec<usize> {
    let like_neighbours =
        split(values, (size, inner), tolerance, (1..size).map(|index| (index, index - 1)).collect()).0;
    // Small steps add up, so that what counts is the slice that a run of them begins with.
    let mut pending: Vec<(usize, usize)> = Vec::with_capacity(like_neighbours.len());
    for (index, before) in like_neighbours {
        let first = pending.last().filter(|(last, _)| *last == before).map_or(before, |(_, first)| *first);
        pending.push((index, first));
    }
    let mut repeats = Vec::new();
    for _ in 0..PASSES {
        let (same, other) = split(values, (size, inner), tolerance, pending);
        repeats.extend(same.into_iter().map(|(index, _)| index));
        pending = from_the_first_on(&other);
    }
    repeats
}

/// What is the same as the slice that it is compared with, and what is not.
type SameAndOther = (Vec<(usize, usize)>, Vec<(usize, usize)>);

/// Compares slices along an axis: each pair is a slice and the one that it may be the same as.
fn split(values: &[f32], (size, inner): (usize, usize), tolerance: f32, pairs: Vec<(usize, usize)>) -> SameAndOther {
    let (mut same, mut other) = (pairs, Vec::new());
    for plane in values.chunks_exact((size * inner).max(1)) {
        let slice = |index: usize| plane.get(index * inner..(index + 1) * inner).unwrap_or_default();
        let is_same = |&(index, first): &(usize, usize)| {
            slice(index).iter().zip(slice(first)).all(|(own, before)| (own - before).abs() <= tolerance)
        };
        let (still, not): SameAndOther = same.into_iter().partition(is_same);
        same = still;
        other.extend(not);
        if same.is_empty() {
            break;
        }
    }
    other.sort_unstable();
    (same, other)
}

/// Of slices that were compared with the same one, the first is what those behind it are compared with next.
fn from_the_first_on(other: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let runs = other.chunk_by(|(_, one), (_, next)| one == next);
    let behind = runs
        .filter_map(<[_]>::split_first)
        .flat_map(|((first, _), rest)| rest.iter().map(|(index, _)| (*index, *first)));
    behind.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of eight rows and four columns, of which the last two are the same.
    fn with_a_margin() -> Vec<f32> {
        let cell = |i: usize| match i % 4 {
            3 => (i - 1) as f32,
            _ => i as f32,
        };
        (0..64).map(cell).collect()
    }

    #[test]
    fn a_column_that_is_as_the_one_before_is_left_out() {
        let values = with_a_margin();
        let expected: Vec<f32> =
            values.iter().enumerate().filter(|(i, _)| i % 4 != 3).map(|(_, value)| *value).collect();
        assert_eq!(without_repeats(&values, &[1, 2, 8, 4], 64.0), Some(expected));
        // One cell differs by more than rounding.
        let mut other = values.clone();
        other[63] += 0.1;
        assert_eq!(without_repeats(&other, &[1, 2, 8, 4], 64.0), None);
        // Of f32 numbers near 62 two neighbours are 4e-6 apart.
        other[63] = values[63] + 1e-4;
        assert!(without_repeats(&other, &[1, 2, 8, 4], 64.0).is_some());
    }

    #[test]
    fn rows_channels_and_images_count_as_columns_do() {
        let values: Vec<f32> = (0..32).map(|i| (i % 16) as f32).collect();
        for shape in [[2, 1, 16], [1, 2, 16]] {
            assert_eq!(without_repeats(&values, &shape, 15.0), Some(values[..16].to_vec()));
        }
    }

    /// A slope so gentle that two neighbours are taken for the same is one all the same.
    #[test]
    fn a_slope_is_no_area() {
        let length = 100_000;
        let cell = |i: usize| 0.1 + 0.8 * (i % length) as f32 / length as f32 + 0.1 * (i / length) as f32 / 16.0;
        let values: Vec<f32> = (0..16 * length).map(cell).collect();
        let kept = without_repeats(&values, &[1, 16, length], 1.0).map_or(values.len(), |kept| kept.len() / 16);
        assert!(kept > length - 100, "{kept}");
        // Two areas one after the other, which neighbours alone would join.
        let areas: Vec<f32> = (0..16 * 40).map(|i| 1.0 + (i % 40 / 10) as f32 * 1e-5).collect();
        let kept = without_repeats(&areas, &[16, 40], 1.0).unwrap_or_default();
        assert_eq!(kept, [vec![1.0], vec![1.0 + 2e-5]].concat());
    }

    #[test]
    fn few_equal_numbers_are_no_area() {
        for shape in [vec![1, 40], vec![40], vec![4, 10], vec![3, 3], vec![], vec![0, 4]] {
            assert_eq!(without_repeats(&[1.0; 40], &shape, 1.0), None, "{shape:?}");
        }
        assert_eq!(without_repeats(&[], &[0, 4], 0.0), None);
    }

    #[test]
    fn nothing_but_one_number_is_one_value() {
        assert_eq!(without_repeats(&[2.5; 256], &[16, 16], 2.5), Some(vec![2.5]));
    }
}
