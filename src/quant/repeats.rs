//! Areas in which nothing changes: the padding of a sample, and what a network makes of it.
//!
//! A line of text at the left of a wide image, a letterboxed picture, silence: their many equal values say once what they say. Counted each, they
//! decide the distribution of a value, and ranges that fit it cut off what the samples are about.

/// Slices of fewer values are not looked at: they are the same by chance, as numbers that a gate or a clip holds at its end.
const SMALLEST_SLICE: usize = 16;
/// Values that differ by no more than this part of the largest magnitude are the same: roundings of f32, and a five-hundredth of a step of int8.
const SAME: f32 = 1.0 / (1 << 16) as f32;

/// The values of a tensor without the slices, along any axis, that are the same as the slice before them; none where there are no such
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

/// The indices along an axis of this size whose slices are the same as the one before.
fn repeated_slices(values: &[f32], size: usize, inner: usize, tolerance: f32) -> Vec<usize> {
    let mut alike: Vec<usize> = (1..size).collect();
    for plane in values.chunks_exact(size * inner) {
        let slice = |index: usize| plane.get(index * inner..(index + 1) * inner).unwrap_or_default();
        alike.retain(|&index| {
            slice(index).iter().zip(slice(index - 1)).all(|(own, before)| (own - before).abs() <= tolerance)
        });
        if alike.is_empty() {
            break;
        }
    }
    alike
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

    #[test]
    fn few_equal_numbers_are_no_area() {
        for shape in [vec![1, 40], vec![40], vec![2, 10, 2], vec![3, 3], vec![], vec![0, 4]] {
            assert_eq!(without_repeats(&[1.0; 40], &shape, 1.0), None, "{shape:?}");
        }
        assert_eq!(without_repeats(&[], &[0, 4], 0.0), None);
    }

    #[test]
    fn nothing_but_one_number_is_one_value() {
        assert_eq!(without_repeats(&[2.5; 256], &[16, 16], 2.5), Some(vec![2.5]));
    }
}
