//! Products of matrices.

use super::super::builder::{Blob, LayerBuilder, Size, shown};
use super::Built;
use crate::frontend::onnx::model::Attribute;

/// All dimensions from an axis on, times a matrix of weights.
pub fn inner_product(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.inner_product_param.clone().unwrap_or_default();
    let x = b.bottom(0)?;
    let axis = x.axis(parameter.axis())?;
    let count = parameter.num_output.unwrap_or(0) as usize;
    if count == 0 {
        return Err("num_output is missing or 0".to_owned());
    }
    let inner = x.count_from(axis)?;
    let shape = if parameter.transpose() { [inner, count] } else { [count, inner] };
    let weight = b.weight_blob("weight", 0, &shape)?;
    let bias = if parameter.bias_term() { Some(b.weight_blob("bias", 1, &[count])?) } else { None };
    let product = gemm(b, &x, axis, (&weight, !parameter.transpose()), bias.as_ref())?;
    Ok(vec![product])
}

/// `x`, a matrix when it is parted at `axis`, times a constant, which may be turned, plus a bias: the dimensions before `axis`, then the
/// columns.
pub fn gemm(
    b: &mut LayerBuilder<'_>,
    x: &Blob,
    axis: usize,
    (weight, turned): (&Blob, bool),
    bias: Option<&Blob>,
) -> Result<Blob, String> {
    let columns = weight.shape.get(usize::from(!turned)).copied().flatten();
    let outer = x.shape.get(..axis).unwrap_or_default();
    let rows = outer.iter().try_fold(Some(1_usize), |rows, size| match (rows, size) {
        (Some(rows), Some(size)) => rows.checked_mul(*size).map(Some).ok_or("it has too many rows"),
        _ => Ok(None),
    })?;
    let matrix = if x.rank() == 2 && axis == 1 {
        x.clone()
    } else {
        let shape = vec![rows, Some(x.count_from(axis)?)];
        b.node("Flatten", &[x], &[("axis", Attribute::Int(axis as i64))], shape)?
    };
    let inputs: Vec<&Blob> = [&matrix, weight].into_iter().chain(bias).collect();
    let product = b.node("Gemm", &inputs, &[("transB", Attribute::Int(turned.into()))], vec![rows, columns])?;
    let shape: Vec<Size> = outer.iter().copied().chain([columns]).collect();
    b.reshape(&product, shape)
}

/// The last two dimensions of two bottoms, which are matrices.
pub fn mat_mul(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.matmul_param.unwrap_or_default();
    let (mut x, mut y) = (b.bottom(0)?, b.bottom(1)?);
    if x.rank() != y.rank() || x.rank() < 2 {
        return Err(format!("its bottoms have the shapes {} and {}", shown(&x.shape), shown(&y.shape)));
    }
    let rank = x.rank();
    let mut turned: Vec<usize> = (0..rank).collect();
    turned.swap(rank - 1, rank - 2);
    if parameter.transpose_a() {
        x = b.transpose(&x, &turned)?;
    }
    if parameter.transpose_b() {
        y = b.transpose(&y, &turned)?;
    }
    let outer = rank - 2;
    if x.shape.get(..outer) != y.shape.get(..outer) || x.shape.get(rank - 1) != y.shape.get(rank - 2) {
        return Err(format!("the matrices {} and {} do not go together", shown(&x.shape), shown(&y.shape)));
    }
    let mut shape = x.shape.clone();
    if let (Some(place), Some(columns)) = (shape.last_mut(), y.shape.last()) {
        *place = *columns;
    }
    Ok(vec![b.node("MatMul", &[&x, &y], &[], shape)?])
}
