//! `docs/numerics.md`, section 10: images of a camera.

use super::values::{OperandBytes, allocate};
use crate::bpu::model::{BpuElement, BpuTensor};
use crate::numerics::{RegionOfInterest, RoiResize, centred};
use ndarray::{ArrayView4, ArrayViewMut4};

/// The shape of a tensor of rank 4.
fn images(tensor: &BpuTensor) -> Result<[usize; 4], String> {
    tensor.shape.as_slice().try_into().map_err(|_| format!("tensor `{}` is no image", tensor.name))
}

pub(super) fn image(constants: &[i8], planes: &[OperandBytes], output: &BpuTensor) -> Result<Vec<u8>, String> {
    let mut bytes = allocate(output);
    let mut image = ArrayViewMut4::from_shape(images(output)?, &mut bytes).map_err(|error| error.to_string())?;
    let height = image.dim().1;
    let mut first = 0;
    for plane in planes {
        let cells = ArrayView4::from_shape(images(plane.tensor)?, plane.bytes).map_err(|error| error.to_string())?;
        let is_byte = plane.tensor.element == BpuElement::U8;
        // Each element of the second plane covers 2x2 pixels.
        let pixels = height / cells.dim().1.max(1);
        for ((n, y, x, channel), cell) in image.indexed_iter_mut() {
            if (first..first + cells.dim().3).contains(&channel) {
                let given = cells[[n, y / pixels, x / pixels, channel - first]];
                *cell = if is_byte { centred(given) as u8 } else { given };
            }
        }
        first += cells.dim().3;
    }
    for ((.., channel), cell) in image.indexed_iter_mut() {
        if let Some(constant) = channel.checked_sub(first).and_then(|index| constants.get(index)) {
            *cell = *constant as u8;
        }
    }
    Ok(bytes)
}

pub(super) fn roi_resize(
    block: usize,
    size: [usize; 2],
    plane: OperandBytes,
    region: OperandBytes,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let cells = ArrayView4::from_shape(images(plane.tensor)?, plane.bytes).map_err(|error| error.to_string())?;
    let (_, height, width, _) = cells.dim();
    let region = RegionOfInterest::from_bytes(region.bytes).ok_or("its region has not four numbers")?;
    region.check([height * block, width * block])?;
    let resize = RoiResize { region, block, size };
    let mut bytes = allocate(output);
    let mut resized = ArrayViewMut4::from_shape(images(output)?, &mut bytes).map_err(|error| error.to_string())?;
    for ((_, y, x, channel), cell) in resized.indexed_iter_mut() {
        let value = resize.cell([y, x], |row, column| cells.get([0, row, column, channel]).copied());
        *cell = value.ok_or("its region lies outside of the plane")? as u8;
    }
    Ok(bytes)
}
