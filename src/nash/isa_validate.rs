//! Is a program one that the machine can run? Everything that a simulator or a board relies on is checked here first.

use thiserror::Error;

use super::isa::*;
use super::isa_access::is_injective;
use crate::bpu::model::MOST_PIXELS;
use crate::numerics::{Clamp as Range, MAX_PIECES, MAX_ROW, MAX_SHIFT, Multiplier, SumMultipliers, VectorProgram};
use crate::target::Target;

/// Bytes of one DDR region: more than a board has.
const MAX_REGION_BYTES: u64 = 1 << 35;

/// Why a program cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum ValidateError {
    #[error("instruction {index} ({mnemonic}, of {source_name}): {reason}")]
    Instruction { index: usize, mnemonic: &'static str, source_name: String, reason: String },
    #[error("{region} has {bytes} bytes, more than {MAX_REGION_BYTES}")]
    Region { region: String, bytes: u64 },
    #[error("{count} instructions; a program has at most {max}")]
    TooLong { count: usize, max: u32 },
}

/// A reason, still without the instruction that it belongs to.
type Check = Result<(), String>;

impl Program {
    /// Checks every instruction against the target's memory and the program's regions.
    ///
    /// # Errors
    /// At the first instruction that reaches outside of its memory, has sizes that do not fit together or a parameter out of
    /// range. Races and deadlocks are the simulator's to find.
    pub fn validate(&self, target: &Target) -> Result<(), ValidateError> {
        if u32::try_from(self.instructions.len()).is_err() {
            return Err(ValidateError::TooLong { count: self.instructions.len(), max: u32::MAX });
        }
        self.validate_regions()?;
        let queues = self.queues();
        for (index, instruction) in self.instructions.iter().enumerate() {
            self.validate_instruction(instruction, &queues, target).map_err(|reason| ValidateError::Instruction {
                index,
                mnemonic: instruction.operation.mnemonic(),
                source_name: self.source_name(instruction).to_string(),
                reason,
            })?;
        }
        Ok(())
    }

    fn validate_regions(&self) -> Result<(), ValidateError> {
        let numbered = |name: &'static str, sizes: &[u64]| {
            sizes.iter().enumerate().map(|(i, bytes)| (format!("{name}{i}"), *bytes)).collect::<Vec<_>>()
        };
        let mut regions = numbered("input", &self.inputs);
        regions.extend(numbered("output", &self.outputs));
        regions.push(("constants".to_string(), self.constants));
        regions.push(("workspace".to_string(), self.workspace));
        match regions.into_iter().find(|region| region.1 > MAX_REGION_BYTES) {
            Some((region, bytes)) => Err(ValidateError::Region { region, bytes }),
            None => Ok(()),
        }
    }

    fn validate_instruction(
        &self,
        instruction: &Instruction,
        queues: &[Vec<usize>; Engine::COUNT],
        target: &Target,
    ) -> Check {
        let names = self.names.len();
        ensure(usize::try_from(instruction.source).is_ok_and(|source| source < names), || {
            format!("source {} is not one of the {names} names", instruction.source)
        })?;
        for wait in &instruction.waits {
            let length = queues.get(wait.engine.index()).map_or(0, Vec::len);
            ensure(usize::try_from(wait.count).is_ok_and(|count| count <= length), || {
                format!("waits for {} instructions of {}, which has {length}", wait.count, wait.engine)
            })?;
        }
        instruction.operation.validate_fields(target.l1m_bytes())?;
        validate_transfer(&instruction.operation, target)?;
        let accesses = instruction.accesses();
        for access in &accesses {
            self.validate_access(access, target)?;
        }
        validate_aliasing(&instruction.operation, &accesses)
    }

    /// In bounds, and written only where writing is allowed.
    fn validate_access(&self, access: &Access, target: &Target) -> Check {
        let (operand, space) = (access.operand, access.space);
        let bytes = match space {
            Space::L1m => target.l1m_bytes(),
            Space::Ddr(region) => {
                ensure(!access.write || region.is_writable(), || format!("{operand} writes to {space}"))?;
                self.region_bytes(region).ok_or_else(|| format!("{operand}: the program has no {space}"))?
            }
        };
        let (start, end) = (access.region.base, access.region.end());
        ensure(start >= 0 && end <= i128::from(bytes), || {
            format!("{operand} covers bytes {start} to {end} of {space}, which has {bytes}")
        })
    }
}

/// A transfer moves at most as many bytes as L1M has, even where strides repeat some of them.
fn validate_transfer(operation: &Operation, target: &Target) -> Check {
    let (Operation::Load(Load { shape, element_bytes, .. }) | Operation::Store(Store { shape, element_bytes, .. })) =
        operation
    else {
        return Ok(());
    };
    let bytes = shape.iter().fold(u128::from(*element_bytes), |bytes, size| bytes.saturating_mul(u128::from(*size)));
    ensure(bytes <= u128::from(target.l1m_bytes()), || {
        format!("moves {bytes} bytes, more than the {} of l1m", target.l1m_bytes())
    })
}

/// A written operand may share bytes with a read one only when the two are the same elements in the same places.
fn validate_aliasing(operation: &Operation, accesses: &[Access]) -> Check {
    let Some((written, read)) = accesses.split_last() else {
        return Ok(());
    };
    let in_place = operation.in_place_operands();
    for access in read.iter().filter(|access| access.space == written.space && !in_place.contains(&access.operand)) {
        ensure(!access.region.overlaps(&written.region), || {
            format!("{} overlaps {}, which it reads", written.operand, access.operand)
        })?;
    }
    Ok(())
}

impl Operation {
    /// Sizes, element types and parameters; addresses are not looked at, except that no written byte is written twice.
    ///
    /// No operand has more than `limit` elements, the bytes of L1M. Only a broadcast could, and the bound keeps what an
    /// instruction can ask for in memory and work in proportion to the machine.
    fn validate_fields(&self, limit: u64) -> Check {
        match self {
            Operation::Load(o) => copy(&o.shape, o.element_bytes, &[1, 2, 4, 8], &o.destination, limit),
            Operation::Store(o) => {
                sizes("shape", &o.shape, limit)?;
                one_of("element_bytes", o.element_bytes, &[1, 2, 4, 8])?;
                let pairs =
                    o.shape.iter().zip(&o.destination.strides).map(|(size, stride)| (u64::from(*size), *stride));
                ensure(is_injective(o.element_bytes.into(), pairs), twice)
            }
            Operation::Convolution(o) => convolution(o, limit),
            Operation::Add(o) => {
                elementwise(&o.shape, &[o.a_element, o.b_element], o.output_element, &o.output, o.clamp, limit)?;
                zero_points(&o.zero_points, &[o.a_element, o.b_element, o.output_element])?;
                let sum = SumMultipliers { lhs: o.multiplier_a, rhs: o.multiplier_b, shift: o.shift };
                ensure(sum.is_normal(), || "multipliers or shift out of range".to_string())
            }
            Operation::Mul(o) => {
                elementwise(&o.shape, &[o.a_element, o.b_element], o.output_element, &o.output, o.clamp, limit)?;
                zero_points(&o.zero_points, &[o.a_element, o.b_element, o.output_element])?;
                multiplier(o.mantissa, o.shift)
            }
            Operation::PRelu(o) => {
                sizes("shape", &o.shape, limit)?;
                narrow("input_element", o.input_element)?;
                narrow("slope_element", o.slope_element)?;
                result(o.output_element, o.clamp)?;
                zero_points(&o.zero_points, &[o.input_element, o.slope_element, o.output_element])?;
                written(&o.output, &o.shape, o.output_element.bytes())?;
                multiplier(o.mantissa, o.shift)?;
                multiplier(o.slope_mantissa, o.slope_shift)
            }
            Operation::Requantize(o) => {
                sizes("shape", &o.shape, limit)?;
                integer("input_element", o.input_element)?;
                result(o.output_element, o.clamp)?;
                zero_points(&o.zero_points, &[o.input_element, o.output_element])?;
                written(&o.output, &o.shape, o.output_element.bytes())?;
                multiplier(o.mantissa, o.shift)
            }
            Operation::Lookup(o) => {
                sizes("shape", &o.shape, limit)?;
                written(&o.output, &o.shape, 1)
            }
            Operation::Curve(o) => {
                sizes("shape", &o.shape, limit)?;
                narrow("input_element", o.input_element)?;
                narrow("output_element", o.output_element)?;
                let most = MAX_PIECES as u32;
                ensure((1..=most).contains(&o.pieces), || format!("pieces is {}, not 1 to {most}", o.pieces))?;
                ensure(o.shift <= MAX_SHIFT, || format!("shift is {}, above {MAX_SHIFT}", o.shift))?;
                written(&o.output, &o.shape, o.output_element.bytes())
            }
            Operation::MaxPool(o) => {
                narrow("element", o.element)?;
                pool(&o.input_shape, &o.output_shape, &o.window, limit)?;
                written(&o.output, &o.output_shape, o.element.bytes())
            }
            Operation::AveragePool(o) => average_pool(o, limit),
            Operation::RoiResize(o) => roi_resize(o, limit),
            Operation::Copy(o) => copy(&o.shape, o.element_bytes, &[1, 2, 4, 8], &o.destination, limit),
            Operation::Fill(o) => copy(&o.shape, o.element_bytes, &[1, 2, 4], &o.destination, limit),
            Operation::Quantize(o) => {
                sizes("shape", &o.shape, limit)?;
                narrow("output_element", o.output_element)?;
                zero_points(&[o.zero_point], &[o.output_element])?;
                scale(o.scale)?;
                written(&o.output, &o.shape, o.output_element.bytes())
            }
            Operation::Normalize(o) => {
                sizes("shape", &o.shape, limit)?;
                narrow("output_element", o.output_element)?;
                zero_points(&[o.zero_point], &[o.output_element])?;
                scale(o.scale)?;
                written(&o.output, &o.shape, o.output_element.bytes())
            }
            Operation::Run(o) => run(o, limit),
            Operation::Yield(o) => ensure(o.bytes > 0, || "bytes is 0".to_string()),
            Operation::Dequantize(o) => {
                sizes("shape", &o.shape, limit)?;
                integer("input_element", o.input_element)?;
                zero_points(&[o.zero_point], &[o.input_element])?;
                scale(o.scale)?;
                written(&o.output, &o.shape, 4)
            }
        }
    }

    /// The read operands that may coincide with the written one, because they do, element by element.
    fn in_place_operands(&self) -> Vec<&'static str> {
        let same = |view: &View, bytes: u32, output: &View, output_bytes: u32| view == output && bytes == output_bytes;
        let sums = |same: bool, element: BpuElement| vec![("accumulate", same && element == BpuElement::I32)];
        let operands = match self {
            Operation::Convolution(o) => sums(o.accumulate == Some(o.output), o.output_element),
            Operation::AveragePool(o) => sums(o.accumulate == Some(o.output), o.output_element),
            Operation::MaxPool(o) => vec![("accumulate", o.accumulate == Some(o.output))],
            Operation::Add(Add { a, b, output, a_element, b_element, output_element, .. })
            | Operation::Mul(Mul { a, b, output, a_element, b_element, output_element, .. }) => vec![
                ("a", same(a, a_element.bytes(), output, output_element.bytes())),
                ("b", same(b, b_element.bytes(), output, output_element.bytes())),
            ],
            Operation::PRelu(o) => vec![
                ("input", same(&o.input, o.input_element.bytes(), &o.output, o.output_element.bytes())),
                ("slope", same(&o.slope, o.slope_element.bytes(), &o.output, o.output_element.bytes())),
            ],
            Operation::Requantize(o) => {
                vec![("input", same(&o.input, o.input_element.bytes(), &o.output, o.output_element.bytes()))]
            }
            Operation::Lookup(o) => vec![("input", o.input == o.output)],
            Operation::Curve(o) => {
                vec![("input", same(&o.input, o.input_element.bytes(), &o.output, o.output_element.bytes()))]
            }
            Operation::Load(_)
            | Operation::Store(_)
            | Operation::Copy(_)
            | Operation::Fill(_)
            | Operation::Quantize(_)
            | Operation::Normalize(_)
            | Operation::Run(_)
            | Operation::RoiResize(_)
            | Operation::Dequantize(_)
            | Operation::Yield(_) => Vec::new(),
        };
        operands.into_iter().filter(|(_, coincides)| *coincides).map(|(name, _)| name).collect()
    }
}

/// Only i8 has zero points other than 0: distances from them stay within the 16 bits that products are exact for.
fn zero_points(points: &[i32], elements: &[BpuElement]) -> Check {
    for (point, element) in points.iter().zip(elements) {
        ensure(*point == 0 || *element == BpuElement::I8 && i8::try_from(*point).is_ok(), || {
            format!("{element} has no zero point {point}; only i8 has others than 0, in its range")
        })?;
    }
    Ok(())
}

fn convolution(o: &Convolution, limit: u64) -> Check {
    narrow("input_element", o.input_element)?;
    let [batch, _, _, channels] = o.input_shape;
    window(&o.input_shape, &o.output_shape, &o.window, limit)?;
    ensure(batch == o.output_shape[0], || "input and output differ in batch".to_string())?;
    ensure(!o.depthwise || channels == o.output_shape[3], || {
        "depthwise, but input and output differ in channels".to_string()
    })?;
    sizes("weights", &o.weights_shape(), limit)?;
    zero_points(&o.zero_points, &[o.input_element, o.output_element])?;
    if o.parameters.is_some() {
        result(o.output_element, o.clamp)?;
    } else {
        ensure(o.output_element == BpuElement::I32, || "a partial sum is not i32".to_string())?;
    }
    written(&o.output, &o.output_shape, o.output_element.bytes())
}

fn average_pool(o: &AveragePool, limit: u64) -> Check {
    narrow("input_element", o.input_element)?;
    pool(&o.input_shape, &o.output_shape, &o.window, limit)?;
    written(&o.output, &o.output_shape, o.output_element.bytes())?;
    zero_points(&o.zero_points, &[o.input_element, o.output_element])?;
    let Some(count) = &o.count else {
        return ensure(o.output_element == BpuElement::I32, || "a partial sum is not i32".to_string());
    };
    narrow("output_element", o.output_element)?;
    result(o.output_element, o.clamp)?;
    positive("count kernel", &count.kernel)?;
    sizes("count table", &count.shape, limit)?;
    for axis in 0..2 {
        let (low, high) = counted(&o.window, count, axis, o.output_shape[axis + 1]);
        let (first, size) = (u64::from(count.minimum[axis]), u64::from(count.shape[axis]));
        ensure(low >= first && high < first + size, || {
            format!(
                "windows count {low} to {high} cells along axis {axis}; the table has {first} to {}",
                first + size - 1
            )
        })?;
    }
    Ok(())
}

fn run(o: &Run, limit: u64) -> Check {
    sizes("shape", &o.shape, limit)?;
    ensure(o.row_dimensions as usize <= RANK, || format!("row_dimensions is {}, above {RANK}", o.row_dimensions))?;
    let program = VectorProgram::new(o.program.steps.clone())?;
    let count = o.program.operands.len();
    ensure(program.operands() <= count, || {
        format!("the program loads operand {}, but there are {count}", program.operands().saturating_sub(1))
    })?;
    for (index, operand) in o.program.operands.iter().enumerate() {
        real(&format!("operand {index}"), operand.element)?;
        zero_points(&[operand.zero_point], &[operand.element])?;
        scale(operand.scale)?;
    }
    for (index, (name, view)) in o.operands().into_iter().enumerate() {
        let is_used = index < count;
        ensure(view.is_some() == is_used, || format!("{name} does not fit the {count} operands of the program"))?;
    }
    let row = o.row().iter().fold(1, |row: u64, size| row.saturating_mul(u64::from(*size)));
    ensure(!program.reduces() || row <= MAX_ROW as u64, || {
        format!("a row has {row} elements; at most {MAX_ROW} can be combined")
    })?;
    ensure(!o.reduced || program.reduces(), || "reduced, but the program combines no elements".to_string())?;
    real("output_element", o.output_element)?;
    zero_points(&[o.output_zero_point], &[o.output_element])?;
    scale(o.output_scale)?;
    written(&o.output, &o.output_shape(), o.output_element.bytes())
}

fn roi_resize(o: &RoiResize, limit: u64) -> Check {
    ensure(matches!(o.block, 1 | 2), || format!("block is {}, not 1 or 2", o.block))?;
    let [rows, columns, channels] = o.plane_shape;
    let pixels = |cells: u32| cells.saturating_mul(o.block);
    let most = MOST_PIXELS as u32;
    for (name, size) in [
        ("rows of the plane", pixels(rows)),
        ("columns of the plane", pixels(columns)),
        ("channels of the plane", channels),
        ("rows of the result", o.size[0]),
        ("columns of the result", o.size[1]),
    ] {
        ensure((1..=most).contains(&size), || format!("{name}: {size}, not 1 to {most}"))?;
    }
    sizes("output_shape", &o.output_shape, limit)?;
    for axis in 0..2 {
        let (start, cells, size) = (o.start[axis], o.output_shape[axis], o.size[axis]);
        ensure(start.checked_add(cells).is_some_and(|end| end <= size), || {
            format!("{cells} cells from {start} on along axis {axis} are not in a result of {size}")
        })?;
    }
    ensure(o.output_shape[2] == channels, || "plane and output differ in channels".to_string())?;
    written(&o.output, &o.output_shape, 1)
}

/// The least and the greatest number of cells that windows count along one axis.
fn counted(window: &Window, count: &Count, axis: usize, outputs: u32) -> (u64, u64) {
    let mut range = (u64::MAX, 0);
    for position in 0..outputs {
        let cells = count.cells(window, axis, position);
        range = (range.0.min(cells), range.1.max(cells));
    }
    range
}

impl Count {
    /// How many cells the whole window counts along `axis` (0 rows, 1 columns) at an output position.
    pub fn cells(&self, window: &Window, axis: usize, position: u32) -> u64 {
        let start = i64::from(position) * i64::from(window.strides[axis]) - i64::from(self.pads[axis]);
        let (first, end) = valid_taps(start, window.dilations[axis], self.kernel[axis], self.extent[axis]);
        u64::from(end - first)
    }
}

/// Which kernel cells j, as a half-open range, have `0 <= start + j * dilation < extent`.
pub fn valid_taps(start: i64, dilation: u32, kernel: u32, extent: u32) -> (u32, u32) {
    let (dilation, limit) = (i64::from(dilation.max(1)), i64::from(kernel));
    let ceil = |distance: i64| (distance + dilation - 1).div_euclid(dilation).clamp(0, limit);
    let (first, end) = (ceil(-start), ceil(i64::from(extent) - start));
    // Both lie in 0..=kernel, a u32.
    let narrow = |tap: i64| u32::try_from(tap).unwrap_or(0);
    (narrow(first), narrow(end.max(first)))
}

fn pool(input: &[u32; 4], output: &[u32; 4], shape: &Window, limit: u64) -> Check {
    window(input, output, shape, limit)?;
    ensure(input[0] == output[0] && input[3] == output[3], || {
        "input and output differ in batch or channels".to_string()
    })
}

fn window(input: &[u32; 4], output: &[u32; 4], window: &Window, limit: u64) -> Check {
    sizes("input_shape", input, limit)?;
    sizes("output_shape", output, limit)?;
    positive("kernel", &window.kernel)?;
    positive("strides", &window.strides)?;
    positive("dilations", &window.dilations)
}

fn elementwise(
    shape: &[u32; RANK],
    inputs: &[BpuElement; 2],
    output: BpuElement,
    view: &View,
    clamp: Range,
    limit: u64,
) -> Check {
    sizes("shape", shape, limit)?;
    narrow("a_element", inputs[0])?;
    narrow("b_element", inputs[1])?;
    result(output, clamp)?;
    written(view, shape, output.bytes())
}

fn copy(shape: &[u32; RANK], element_bytes: u8, allowed: &[u8], destination: &View, limit: u64) -> Check {
    sizes("shape", shape, limit)?;
    one_of("element_bytes", element_bytes, allowed)?;
    written(destination, shape, element_bytes.into())
}

fn positive(name: &str, sizes: &[u32]) -> Check {
    ensure(!sizes.contains(&0), || format!("{name} {sizes:?} has a 0"))
}

fn sizes(name: &str, sizes: &[u32], limit: u64) -> Check {
    positive(name, sizes)?;
    let product = sizes.iter().try_fold(1u64, |product, size| product.checked_mul(u64::from(*size)));
    ensure(product.is_some_and(|product| product <= limit), || {
        format!("{name} {sizes:?} has more than {limit} elements, the bytes of l1m")
    })
}

fn written<const D: usize>(view: &View<D>, shape: &[u32; D], bytes: u32) -> Check {
    let pairs = shape.iter().zip(&view.strides).map(|(size, stride)| (u64::from(*size), i64::from(*stride)));
    ensure(is_injective(bytes.into(), pairs), twice)
}

fn twice() -> String {
    "the written operand has elements that share bytes".to_string()
}

/// i8 or i16.
fn narrow(name: &str, element: BpuElement) -> Check {
    ensure(matches!(element, BpuElement::I8 | BpuElement::I16), || format!("{name} is {element}, not i8 or i16"))
}

/// What the float engine takes: i8, i16, f32 or f16.
fn real(name: &str, element: BpuElement) -> Check {
    ensure(element.is_real() || element.is_activation(), || format!("{name} is {element}, not i8, i16, f32 or f16"))
}

/// Any integer.
fn integer(name: &str, element: BpuElement) -> Check {
    ensure(element.range().is_some(), || format!("{name} is {element}, not an integer"))
}

/// An integer result and its limits.
fn result(element: BpuElement, clamp: Range) -> Check {
    let whole = match element {
        BpuElement::I8 => Range::I8,
        BpuElement::I16 => Range::I16,
        BpuElement::I32 => Range::I32,
        BpuElement::F32 | BpuElement::F16 | BpuElement::U8 => {
            return Err(format!("output_element is {element}, not an integer"));
        }
    };
    ensure(!clamp.is_empty() && whole.contains(clamp), || {
        format!("clamp {}..{} is empty or leaves {element}", clamp.low, clamp.high)
    })
}

fn multiplier(mantissa: i32, shift: u32) -> Check {
    ensure(Multiplier { mantissa, shift }.is_normal(), || {
        format!("multiplier {mantissa} / 2^{shift} is not normal: mantissa 2^30 to 2^31 - 1, shift at most 62")
    })
}

fn scale(scale: f32) -> Check {
    ensure(scale.is_finite() && scale > 0.0, || format!("scale {scale} is not positive and finite"))
}

fn one_of(name: &str, value: u8, allowed: &[u8]) -> Check {
    ensure(allowed.contains(&value), || format!("{name} is {value}, not one of {allowed:?}"))
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(reason()) }
}
