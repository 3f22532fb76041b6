//! Pictures of which a model takes a region (`input_source` resizer): they may be smaller than the inputs that hold them.

use super::executor::{ExecutionError, TensorSpecification};
use crate::cpu::Array;
use crate::numerics::RegionOfInterest;
use hb_dialects::ir::{self, attribute};
use hb_dialects::names::{REGION, input_names};
use melior::ir::OperationRef;
use std::borrow::Cow;

/// The arguments of a function that are planes of a picture, each with the argument that says which region is taken.
///
/// # Errors
/// When a plane names no argument.
pub fn regions(function: OperationRef<'_, '_>) -> Result<Vec<(usize, usize)>, String> {
    let names = input_names(function);
    let mut found = Vec::new();
    for (index, plane) in names.iter().enumerate() {
        let Some(region) = ir::argument_attribute(function, index, REGION) else { continue };
        let region = attribute::text(region).and_then(|region| names.iter().position(|name| *name == region));
        found.push((
            index,
            region.ok_or_else(|| format!("input '{plane}': there is no input that its {REGION} names"))?,
        ));
    }
    Ok(found)
}

/// A plane of a picture.
struct Plane {
    /// The number of its input.
    input: usize,
    /// Sizes of the largest one: 1, rows, columns, channels.
    largest: [usize; 4],
    /// The number of the input that says the region.
    region: usize,
}

/// The planes among the inputs of a model.
#[derive(Default)]
pub(super) struct Pictures(Vec<Plane>);

impl Pictures {
    /// The planes with their regions, by the numbers of inputs. Planes take pictures of any size from now on, up to what they are.
    pub fn new(planes: impl IntoIterator<Item = (usize, usize)>, inputs: &mut [TensorSpecification]) -> Self {
        let mut found = Vec::new();
        for (input, region) in planes {
            let Some(plane) = inputs.get_mut(input) else { continue };
            let &[Some(one), Some(rows), Some(columns), Some(channels)] = plane.dims.as_slice() else { continue };
            plane.dims = vec![Some(one), None, None, Some(channels)];
            found.push(Plane { input, largest: [one, rows, columns, channels], region });
        }
        Self(found)
    }

    /// The inputs with pictures in the size that the model takes.
    ///
    /// # Errors
    /// Names the input when a picture is too large, its planes do not fit each other, or a region is not inside of it.
    pub fn fit<'a>(
        &self,
        specifications: &[TensorSpecification],
        inputs: &'a [Array],
    ) -> Result<Vec<Cow<'a, Array>>, ExecutionError> {
        let mut fitted: Vec<Cow<'a, Array>> = inputs.iter().map(Cow::Borrowed).collect();
        for plane in &self.0 {
            let at_fault = |input: usize, reason: String| {
                let name = specifications.get(input).map_or("?", |input| input.name.as_str());
                ExecutionError(format!("input '{name}': {reason}"))
            };
            let (Some(array), Some(region)) = (inputs.get(plane.input), inputs.get(plane.region)) else { continue };
            let [_, rows, columns, _] = plane.sizes(array).map_err(|reason| at_fault(plane.input, reason))?;
            let picture = self.picture(plane.region, inputs).map_err(|reason| at_fault(plane.input, reason))?;
            let block = plane.block(&self.0);
            if [rows.checked_mul(block), columns.checked_mul(block)] != picture.map(Some) {
                let [height, width] = picture;
                let reason =
                    format!("{rows} rows of {columns} do not fit a picture that is {width} wide and {height} high");
                return Err(at_fault(plane.input, reason));
            }
            let region = RegionOfInterest::from_bytes(region.as_bytes()).ok_or("it has not four numbers".to_owned());
            let checked = region.and_then(|region| region.check(picture));
            checked.map_err(|reason| at_fault(plane.region, reason))?;
            let padded = plane.padded(array).map_err(|reason| at_fault(plane.input, reason))?;
            if let Some(slot) = fitted.get_mut(plane.input) {
                *slot = Cow::Owned(padded);
            }
        }
        Ok(fitted)
    }

    /// Height and width of the picture of a region: those of its first plane.
    fn picture(&self, region: usize, inputs: &[Array]) -> Result<[usize; 2], String> {
        let first = self.0.iter().find(|plane| plane.region == region);
        let (first, array) =
            first.and_then(|plane| Some((plane, inputs.get(plane.input)?))).ok_or("it has no picture")?;
        let [_, rows, columns, _] = first.sizes(array)?;
        Ok([rows, columns])
    }
}

impl Plane {
    /// Rows and columns of pixels that a cell covers: the first plane of a picture has a cell for each.
    fn block(&self, planes: &[Plane]) -> usize {
        let first = planes.iter().find(|plane| plane.region == self.region).map_or(self, |first| first);
        first.largest[1].checked_div(self.largest[1]).unwrap_or(1)
    }

    /// The sizes of an array for it.
    fn sizes(&self, array: &Array) -> Result<[usize; 4], String> {
        let sizes: [usize; 4] =
            array.shape().try_into().map_err(|_| format!("its shape {:?} is no plane", array.shape()))?;
        let fits = sizes.iter().zip(&self.largest).all(|(size, largest)| size <= largest);
        if !fits || (sizes[0], sizes[3]) != (self.largest[0], self.largest[3]) {
            return Err(format!(
                "its shape {sizes:?} is not within {:?}, the largest that the model takes",
                self.largest
            ));
        }
        Ok(sizes)
    }

    /// The picture in the upper left corner of the largest one.
    fn padded(&self, array: &Array) -> Result<Array, String> {
        let [_, rows, columns, channels] = self.sizes(array)?;
        let count = self.largest.iter().try_fold(1usize, |count, size| count.checked_mul(*size));
        let count = count.ok_or("it is too large")?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(count).map_err(|_| format!("no memory for its {count} bytes"))?;
        bytes.resize(count, 0);
        let (from, to) = (columns * channels, self.largest[2] * channels);
        if from > 0 && to > 0 {
            for (line, picture) in bytes.chunks_mut(to).zip(array.as_bytes().chunks(from)).take(rows) {
                line.iter_mut().zip(picture).for_each(|(line, picture)| *line = *picture);
            }
        }
        Array::from_bytes(array.element(), &self.largest, &bytes).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hb_dialects::ElementType;

    fn specifications() -> Vec<TensorSpecification> {
        let input = |name: &str, element_type, dims: &[usize]| TensorSpecification {
            name: name.into(),
            element_type,
            dims: dims.iter().copied().map(Some).collect(),
        };
        vec![
            input("x_y", ElementType::U8, &[1, 4, 8, 1]),
            input("x_uv", ElementType::U8, &[1, 2, 4, 2]),
            input("x_roi", ElementType::I32, &[1, 4]),
        ]
    }

    fn bytes(shape: [usize; 4]) -> Array {
        let count = shape.iter().product::<usize>();
        Array::from_values(&shape, &(1..=count as u8).collect::<Vec<u8>>()).unwrap()
    }

    fn fit(luma: [usize; 4], chroma: [usize; 4], region: [i32; 4]) -> Result<Vec<Vec<u8>>, String> {
        let mut specifications = specifications();
        let pictures = Pictures::new([(0, 2), (1, 2)], &mut specifications);
        assert!(specifications[0].accepts(&[1, 2, 2, 1]) && !specifications[1].accepts(&[1, 2, 2, 1]));
        let inputs = [bytes(luma), bytes(chroma), Array::from_values(&[1, 4], &region).unwrap()];
        let fitted = pictures.fit(&specifications, &inputs).map_err(|error| error.to_string())?;
        Ok(fitted.iter().map(|array| array.as_bytes().to_vec()).collect())
    }

    #[test]
    fn pictures_lie_in_the_corner() {
        let fitted = fit([1, 2, 4, 1], [1, 1, 2, 2], [0, 0, 4, 2]).unwrap();
        assert_eq!(fitted[0][..16], [1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8, 0, 0, 0, 0]);
        assert_eq!(
            (fitted[0].len(), &fitted[1][..], fitted[2].len()),
            (32, &[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], 16)
        );
        assert_eq!(fit([1, 4, 8, 1], [1, 2, 4, 2], [7, 3, 8, 4]).unwrap()[0], (1..=32).collect::<Vec<u8>>());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let message = |luma, chroma, region| fit(luma, chroma, region).unwrap_err();
        let [luma, chroma] = [[1, 2, 4, 1], [1, 1, 2, 2]];
        for region in [[0, 0, 5, 2], [0, 0, 4, 3], [-1, 0, 4, 2], [0, -1, 4, 2], [i32::MIN, 0, i32::MAX, 2]] {
            let error = message(luma, chroma, region);
            assert!(
                error.starts_with("input 'x_roi': the region")
                    && error.contains("is not inside of the picture, which is 4 wide and 2 high"),
                "{error}"
            );
        }
        for region in [[2, 0, 2, 2], [0, 1, 4, 1], [3, 0, 1, 2], [0, 2, 4, 0]] {
            assert!(message(luma, chroma, region).contains("input 'x_roi'"));
            assert!(message(luma, chroma, region).contains("is empty"));
        }
        assert!(
            message([1, 2, 9, 1], chroma, [0, 0, 1, 1])
                .starts_with("input 'x_y': its shape [1, 2, 9, 1] is not within")
        );
        assert!(
            message([1, 2, 2, 1], chroma, [0, 0, 1, 1]).starts_with("input 'x_uv': 1 rows of 2 do not fit a picture")
        );
        assert!(message([1, 0, 4, 1], [1, 0, 2, 2], [0, 0, 1, 1]).starts_with("input 'x_roi'"));
    }
}
