//! Layers that move data: nothing is computed.

use super::super::builder::{Blob, LayerBuilder, Size, known, shown};
use super::Built;
use crate::frontend::onnx::model::Attribute;

/// The axis of Concat and Slice, whose old name counts from the front.
fn axis_of(x: &Blob, axis: Option<i32>, old: Option<u32>) -> Result<usize, String> {
    match (axis, old) {
        (Some(_), Some(_)) => Err("axis and its old name exclude each other; keep axis".to_owned()),
        (axis, None) => x.axis(axis.unwrap_or(1)),
        (None, Some(old)) => x.axis(i32::try_from(old).map_err(|error| error.to_string())?),
    }
}

/// Bottoms one behind the other.
pub fn concat(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.concat_param.unwrap_or_default();
    let axis = axis_of(&b.bottom(0)?, parameter.axis, parameter.concat_dim)?;
    let bottoms = b.bottoms.clone();
    Ok(vec![b.concat(&bottoms.iter().collect::<Vec<_>>(), axis)?])
}

/// Parts of the bottom, equal ones or between the points.
pub fn slice(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.slice_param.clone().unwrap_or_default();
    let x = b.bottom(0)?;
    let axis = axis_of(&x, parameter.axis, parameter.slice_dim)?;
    let (size, count) = (x.size(axis)?, b.layer.parameters.top.len());
    let sizes = if parameter.slice_point.is_empty() {
        if count == 0 || size % count != 0 {
            return Err(format!("{size} of dimension {axis} are not {count} equal parts; give slice_point"));
        }
        vec![size / count; count]
    } else {
        let points = parameter.slice_point.iter().map(|point| *point as usize);
        let ends: Vec<usize> = points.chain([size]).collect();
        if ends.len() != count {
            return Err(format!("{} slice points make {} parts, it has {count} tops", ends.len() - 1, ends.len()));
        }
        let starts = [0].into_iter().chain(ends.iter().copied());
        let part = |(start, end): (usize, &usize)| end.checked_sub(start).filter(|part| *part > 0);
        let sizes = starts.zip(&ends).map(part).collect::<Option<Vec<_>>>();
        sizes.ok_or_else(|| format!("the slice points do not rise within the {size} of dimension {axis}"))?
    };
    split(b, &x, axis, &sizes)
}

/// Parts of these sizes along a dimension.
pub fn split(b: &mut LayerBuilder<'_>, x: &Blob, axis: usize, sizes: &[usize]) -> Built {
    if let [_] = sizes {
        return Ok(vec![x.clone()]);
    }
    let shape = |size: &usize| {
        let sizes = x.shape.iter().enumerate();
        sizes.map(|(own, other)| if own == axis { Some(*size) } else { *other }).collect::<Vec<Size>>()
    };
    let shapes = sizes.iter().map(shape).collect();
    let list = b.integers("sizes", &sizes.iter().map(|size| *size as i64).collect::<Vec<_>>());
    b.nodes("Split", &[x, &list], &[("axis", Attribute::Int(axis as i64))], shapes)
}

/// The bottom cut to the sizes of the second one, from an axis on.
pub fn crop(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.crop_param.clone().unwrap_or_default();
    let (mut x, like) = (b.bottom(0)?, b.bottom(1)?);
    let first = x.axis(parameter.axis())?;
    let axes = x.rank() - first;
    if like.rank() != x.rank() {
        return Err(format!("its bottoms have {} and {} dimensions", x.rank(), like.rank()));
    }
    if parameter.offset.len() > 1 && parameter.offset.len() != axes {
        return Err(format!("{} offsets for {axes} dimensions from axis {first} on", parameter.offset.len()));
    }
    for axis in first..x.rank() {
        let offset =
            parameter.offset.get(axis - first).or(parameter.offset.first()).map_or(0, |offset| *offset as usize);
        let (size, wanted) = (x.size(axis)?, like.size(axis)?);
        if offset + wanted > size {
            return Err(format!(
                "an offset of {offset} and a size of {wanted} are more than the {size} of dimension {axis}"
            ));
        }
        if wanted != size {
            x = b.slice(&x, axis, offset, wanted)?;
        }
    }
    Ok(vec![x])
}

/// The sizes between `start` and `end` replaced.
fn replaced(x: &Blob, start: usize, end: usize, sizes: Vec<Size>) -> Vec<Size> {
    let outer = x.shape.iter().take(start).copied();
    outer.chain(sizes).chain(x.shape.iter().skip(end).copied()).collect()
}

/// The product of sizes; none when one is not known.
fn product(sizes: &[Size]) -> Result<Size, String> {
    sizes.iter().try_fold(Some(1_usize), |product, size| match (product, size) {
        (Some(product), Some(size)) => {
            product.checked_mul(*size).map(Some).ok_or_else(|| "it has too many elements".to_owned())
        }
        _ => Ok(None),
    })
}

/// Other sizes for a range of dimensions: 0 keeps the one at its place, -1 is what is left.
pub fn reshape(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.reshape_param.clone().unwrap_or_default();
    let x = b.bottom(0)?;
    let dims = parameter.shape.clone().unwrap_or_default().dim;
    let rank = x.rank() as i64;
    let axis = i64::from(parameter.axis());
    // An axis at the end inserts dimensions behind the last one.
    let start = if axis < 0 { axis + rank + 1 } else { axis };
    let end = if parameter.num_axes() < 0 { rank } else { start + i64::from(parameter.num_axes()) };
    if parameter.num_axes() < -1 || start < 0 || start > rank || end > rank {
        let count = parameter.num_axes();
        return Err(format!("axis {axis} and num_axes {count} are not within the {rank} dimensions of its bottom"));
    }
    let (start, end) = (start as usize, end as usize);
    let inner = x.shape.get(start..end).unwrap_or_default();
    let (mut kept, mut given, mut inferred) = (Vec::new(), Vec::new(), None);
    let mut sizes: Vec<Size> = Vec::with_capacity(dims.len());
    for (index, dim) in dims.iter().enumerate() {
        sizes.push(match *dim {
            0 => {
                let size = inner.get(index);
                let size =
                    size.ok_or_else(|| format!("dimension {index} of shape is 0, and its bottom has none there"))?;
                kept.push(index);
                *size
            }
            -1 if inferred.is_none() => {
                inferred = Some(index);
                None
            }
            size if size > 0 => {
                let size = usize::try_from(size).map_err(|error| error.to_string())?;
                given.push(Some(size));
                Some(size)
            }
            size => return Err(format!("dimension {index} of shape is {size}; only one may be -1")),
        });
    }
    let left: Vec<Size> =
        inner.iter().enumerate().filter(|(index, _)| !kept.contains(index)).map(|(_, size)| *size).collect();
    let (total, given) = (product(&left)?, product(&given)?.unwrap_or(1));
    let fits = |total: usize| match inferred {
        Some(_) => total.is_multiple_of(given),
        None => total == given,
    };
    if !total.is_none_or(fits) {
        let (from, to) = (shown(&x.shape), dims.iter().map(i64::to_string).collect::<Vec<_>>().join(", "));
        return Err(format!("a bottom of {from} cannot have the shape [{to}]"));
    }
    if let Some(place) = inferred.and_then(|index| sizes.get_mut(index)) {
        *place = total.map(|total| total / given);
    }
    Ok(vec![b.reshape(&x, replaced(&x, start, end, sizes))?])
}

/// Dimensions from `axis` to `end_axis` become one.
pub fn flatten(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.flatten_param.unwrap_or_default();
    let x = b.bottom(0)?;
    let (start, end) = (x.axis(parameter.axis())?, x.axis(parameter.end_axis())?);
    if end < start {
        return Err(format!("end_axis {end} is before axis {start}"));
    }
    let size = product(x.shape.get(start..=end).unwrap_or_default())?;
    let shape = replaced(&x, start, end + 1, vec![size]);
    if start == 1 && end + 1 == x.rank() {
        return Ok(vec![b.node("Flatten", &[&x], &[("axis", Attribute::Int(1))], shape)?]);
    }
    Ok(vec![b.reshape(&x, shape)?])
}

/// Dimensions in another order; those that are not named keep theirs behind the others.
pub fn permute(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.permute_param.clone().unwrap_or_default();
    let x = b.bottom(0)?;
    let mut order: Vec<usize> = Vec::new();
    for axis in parameter.order.iter().map(|axis| *axis as usize).chain(0..x.rank()) {
        let is_named = order.len() < parameter.order.len();
        match order.contains(&axis) {
            true if is_named => return Err(format!("order names dimension {axis} twice")),
            true => {}
            false if axis < x.rank() => order.push(axis),
            false => return Err(format!("order names dimension {axis}, its bottom has {}", x.rank())),
        }
    }
    Ok(vec![b.transpose(&x, &order)?])
}

/// The bottom several times along a dimension.
pub fn tile(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.tile_param.unwrap_or_default();
    let x = b.bottom(0)?;
    let axis = x.axis(parameter.axis())?;
    let tiles = usize::try_from(parameter.tiles.unwrap_or(0)).unwrap_or(0);
    if tiles == 0 {
        return Err("tiles is missing or not positive".to_owned());
    }
    let mut repeats = vec![1; x.rank()];
    let mut shape = x.shape.clone();
    if let (Some(count), Some(size)) = (repeats.get_mut(axis), shape.get_mut(axis)) {
        *count = tiles as i64;
        *size = match *size {
            Some(size) => Some(size.checked_mul(tiles).ok_or("it has too many elements")?),
            None => None,
        };
    }
    let repeats = b.integers("repeats", &repeats);
    Ok(vec![b.node("Tile", &[&x, &repeats], &[], shape)?])
}

/// Channels of groups one after the other become channels of all groups in turn.
pub fn shuffle_channel(b: &mut LayerBuilder<'_>) -> Built {
    let group = b.layer.parameters.shuffle_channel_param.unwrap_or_default().group() as usize;
    let (x, [channels, rows, columns]) = b.image()?;
    if group == 0 || channels % group != 0 {
        return Err(format!("{channels} channels are not {group} groups"));
    }
    let samples = x.shape.first().copied().flatten();
    let inner = [group, channels / group, rows, columns].map(Some);
    let grouped = b.reshape(&x, [samples].into_iter().chain(inner).collect())?;
    let turned = b.transpose(&grouped, &[0, 2, 1, 3, 4])?;
    Ok(vec![b.reshape(&turned, x.shape.clone())?])
}

/// Blocks of pixels become channels, ordered by row and column in the block, then by channel.
fn blocks_to_channels(b: &mut LayerBuilder<'_>, x: &Blob, block: [usize; 2]) -> Result<Blob, String> {
    let [block_rows, block_columns] = block;
    let (channels, rows, columns) = (x.size(1)?, x.size(2)?, x.size(3)?);
    if block.contains(&0) || rows % block_rows != 0 || columns % block_columns != 0 {
        return Err(format!("{rows} rows and {columns} columns are not blocks of {block_rows} by {block_columns}"));
    }
    let samples = x.shape.first().copied().flatten();
    let (outer_rows, outer_columns) = (rows / block_rows, columns / block_columns);
    let deep = channels.checked_mul(block_rows * block_columns).ok_or("it has too many channels")?;
    let shape = vec![samples, Some(deep), Some(outer_rows), Some(outer_columns)];
    if block_rows == block_columns {
        return b.node("SpaceToDepth", &[x], &[("blocksize", Attribute::Int(block_rows as i64))], shape);
    }
    let inner = [channels, outer_rows, block_rows, outer_columns, block_columns].map(Some);
    let parted = b.reshape(x, [samples].into_iter().chain(inner).collect())?;
    let turned = b.transpose(&parted, &[0, 3, 5, 1, 2, 4])?;
    b.reshape(&turned, shape)
}

/// Blocks of pixels become channels.
pub fn pass_through(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.passthrough_param.unwrap_or_default();
    let (x, [channels, ..]) = b.image()?;
    let block = [parameter.block_height(), parameter.block_width()].map(|size| size as usize);
    let count = parameter.num_output() as usize;
    let made = channels.saturating_mul(block.iter().product());
    if count != 0 && count != made {
        return Err(format!("num_output is {count}, blocks of {block:?} of {channels} channels make {made}"));
    }
    Ok(vec![blocks_to_channels(b, &x, block)?])
}

/// Darknet's reorg: the elements are taken as an image of other sizes, whose blocks become channels; reversed, channels become blocks.
pub fn reorg(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.reorg_param.unwrap_or_default();
    let (x, [channels, rows, columns]) = b.image()?;
    let stride = parameter.stride.unwrap_or(0) as usize;
    let area = stride.checked_mul(stride).filter(|area| *area > 0).ok_or("stride is missing or 0")?;
    if channels % area != 0 {
        return Err(format!("{channels} channels are not blocks of {stride} by {stride}"));
    }
    let samples = x.shape.first().copied().flatten();
    let wide = |size: usize| size.checked_mul(stride).ok_or("it is too large");
    let large = vec![samples, Some(channels / area), Some(wide(rows)?), Some(wide(columns)?)];
    if parameter.reverse() {
        let blocks = [("blocksize", Attribute::Int(stride as i64))];
        return Ok(vec![b.node("DepthToSpace", &[&x], &blocks, large)?]);
    }
    if rows % stride != 0 || columns % stride != 0 {
        return Err(format!("{rows} rows and {columns} columns are not blocks of {stride} by {stride}"));
    }
    let taken = b.reshape(&x, large)?;
    let small = blocks_to_channels(b, &taken, [stride, stride])?;
    let deep = channels.checked_mul(area).ok_or("it has too many channels")?;
    Ok(vec![b.reshape(&small, vec![samples, Some(deep), Some(rows / stride), Some(columns / stride)])?])
}

/// Each pixel several times; with a mask, unpooling.
pub fn upsample(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.upsample_param.unwrap_or_default();
    if b.bottoms.len() > 1 {
        return super::pooling::unpool(b, &parameter);
    }
    if parameter.upsample_h.is_some() || parameter.upsample_w.is_some() {
        return Err(
            "upsample_h and upsample_w are of unpooling, which needs the mask of a pooling as its second bottom"
                .to_owned(),
        );
    }
    let (x, [_, rows, columns]) = b.image()?;
    let pair = (parameter.scale_h.or(parameter.scale), parameter.scale_w.or(parameter.scale));
    let (Some(tall @ 1..), Some(wide @ 1..)) = pair else {
        return Err("upsample_param needs a scale of 1 or more".to_owned());
    };
    let size = |size: usize, scale: u32| size.checked_mul(scale as usize).ok_or("it is too large");
    let mut shape = x.shape.clone();
    shape.splice(2.., [Some(size(rows, tall)?), Some(size(columns, wide)?)]);
    let scales = b.floats("scales", &[4], &[1.0, 1.0, tall as f32, wide as f32])?;
    let none = Blob { value: String::new(), shape: known(&[0]) };
    let attributes = [
        ("mode", Attribute::String(b"nearest".to_vec())),
        ("coordinate_transformation_mode", Attribute::String(b"asymmetric".to_vec())),
        ("nearest_mode", Attribute::String(b"floor".to_vec())),
    ];
    Ok(vec![b.node("Resize", &[&x, &none, &scales], &attributes, shape)?])
}

/// Linear interpolation between the corners, after the edges were cut off.
pub fn interp(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.interp_param.unwrap_or_default();
    let (mut x, sizes) = b.image()?;
    let [_, rows, columns] = sizes.map(|size| size as i64);
    let (begin, end) = (i64::from(parameter.pad_beg()), i64::from(parameter.pad_end()));
    if begin > 0 || end > 0 {
        return Err("pad_beg and pad_end cut off, they are 0 or negative".to_owned());
    }
    let cut = [rows + begin + end, columns + begin + end];
    if cut.iter().any(|size| *size < 1) {
        return Err(format!("pad_beg {begin} and pad_end {end} leave nothing of {rows} by {columns}"));
    }
    for (axis, size) in cut.iter().enumerate() {
        if begin + end < 0 {
            x = b.slice(&x, axis + 2, begin.unsigned_abs() as usize, *size as usize)?;
        }
    }
    let (zoom, shrink) = (i64::from(parameter.zoom_factor()), i64::from(parameter.shrink_factor()));
    if zoom < 1 || shrink < 1 {
        return Err("zoom_factor and shrink_factor are 1 or more".to_owned());
    }
    let given = (parameter.height, parameter.width);
    let target = match given {
        (Some(height @ 1..), Some(width @ 1..))
            if parameter.zoom_factor.is_none() && parameter.shrink_factor.is_none() =>
        {
            [height, width].map(i64::from)
        }
        (None, None) => {
            let small = cut.map(|size| (size - 1) / shrink + 1);
            let size = |size: i64| {
                (size - 1).checked_mul(zoom - 1).and_then(|more| more.checked_add(size)).ok_or("it is too large")
            };
            let [rows, columns] = small;
            [size(rows)?, size(columns)?]
        }
        _ => return Err("interp_param takes height and width, or zoom_factor and shrink_factor".to_owned()),
    };
    if target == cut {
        return Ok(vec![x]);
    }
    let mut shape = x.shape.clone();
    shape.splice(2.., target.map(|size| Some(size as usize)));
    let outer = [x.shape.first().copied().flatten(), x.shape.get(1).copied().flatten()];
    let all: Option<Vec<i64>> =
        outer.into_iter().map(|size| size.map(|size| size as i64)).chain(target.map(Some)).collect();
    let all = all.ok_or("the number of its samples must be known before it runs")?;
    let sizes = b.integers("sizes", &all);
    let none = Blob { value: String::new(), shape: known(&[0]) };
    let attributes = [
        ("mode", Attribute::String(b"linear".to_vec())),
        ("coordinate_transformation_mode", Attribute::String(b"align_corners".to_vec())),
    ];
    Ok(vec![b.node("Resize", &[&x, &none, &none, &sizes], &attributes, shape)?])
}
