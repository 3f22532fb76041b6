//! ONNX's comparison (`onnx.backend.test.runner`): equal shapes and element types, and numpy's `assert_allclose` with the tolerances with which
//! ONNX tests its own implementation (`onnx/test/test_backend_reference.py`).

use hb::cpu::Array;

const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-7;

/// Cases to whose expected values f32 transforms added more than `ABSOLUTE`: some zeros of theirs are 1.9e-7.
const TRANSFORMS: [&str; 6] = [
    "node/test_dft",
    "node/test_dft_axis",
    "node/test_dft_axis_opset19",
    "node/test_dft_inverse",
    "node/test_dft_inverse_opset19",
    "node/test_dft_opset19",
];
const ABSOLUTE_OF_TRANSFORMS: f64 = 1e-6;

/// Where `found` is not what the case of this name has as `wanted`.
pub fn difference(case: &str, wanted: &Array, found: &Array) -> Result<(), String> {
    let absolute = if TRANSFORMS.contains(&case) { ABSOLUTE_OF_TRANSFORMS } else { ABSOLUTE };
    let types = [wanted, found].map(|array| (array.element(), array.shape()));
    if types[0] != types[1] {
        return Err(format!("{} {:?} instead of {} {:?}", types[1].0, types[1].1, types[0].0, types[0].1));
    }
    for (index, (wanted, found)) in wanted.to_f64().into_iter().zip(found.to_f64()).enumerate() {
        let is_equal = wanted == found || (wanted.is_nan() && found.is_nan());
        let is_close = wanted.is_finite() && (wanted - found).abs() <= absolute + RELATIVE * wanted.abs();
        if !is_equal && !is_close {
            return Err(format!("element {index} is {found} instead of {wanted}"));
        }
    }
    // 64-bit integers beyond 2^53 are not told apart as f64.
    if !wanted.element().is_float() && wanted.element().bytes() == 8 {
        let is_close = |(wanted, found): (i64, i64)| wanted.abs_diff(found) as f64 <= RELATIVE * (wanted as f64).abs();
        if !wanted.to_i64().into_iter().zip(found.to_i64()).all(is_close) {
            return Err("64-bit integers differ".to_owned());
        }
    }
    Ok(())
}
