//! The table of instructions. A field is written once, here; its encoding, its text and its row in `docs/nash-isa.md` follow.

use super::isa::{BpuElement, Clamp, Count, DdrView, Engine, RANK, View, Window};
use super::isa_fields::{DecodeError, Field, FieldRow, OperationTable, Reader};
use super::isa_numbers::FieldKind;
use super::isa_program::RowProgram;
use hb_dialects::nash::Op;

/// A field as numbers: its name, what the numbers mean, and the numbers unless it is absent.
pub type NumberedField = (&'static str, FieldKind, Option<Vec<i64>>);

macro_rules! operations {
    ($(
        $(#[doc = $about:literal])*
        $opcode:literal $op:ident $engine:ident $name:ident {
            $( $(#[doc = $meaning:literal])* $field:ident : $type:ty, )*
        }
    )*) => {
        $(
            $(#[doc = $about])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $name {
                $( $(#[doc = $meaning])* pub $field: $type, )*
            }
        )*

        /// What an instruction does.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Operation {
            $( $(#[doc = $about])* $name($name), )*
        }

        $(
            impl From<$name> for Operation {
                fn from(operation: $name) -> Operation {
                    Operation::$name(operation)
                }
            }
        )*

        impl Operation {
            /// The engine that executes it.
            pub fn engine(&self) -> Engine {
                match self { $( Operation::$name(_) => Engine::$engine, )* }
            }

            /// Its operation in the `nash` dialect.
            pub fn op(&self) -> Op {
                match self { $( Operation::$name(_) => Op::$op, )* }
            }

            /// `engine.operation`, as in the disassembly and in the `nash` dialect.
            pub fn mnemonic(&self) -> &'static str {
                self.op().definition().mnemonic()
            }

            /// The number in the encoding.
            pub fn opcode(&self) -> u16 {
                match self { $( Operation::$name(_) => $opcode, )* }
            }

            /// Appends the fields in their order.
            pub(super) fn write_fields(&self, out: &mut Vec<u8>) {
                match self {
                    $( Operation::$name(operation) => { $( operation.$field.write(out); )* } )*
                }
            }

            /// Reads what [`Operation::write_fields`] wrote.
            pub(super) fn read_fields(opcode: u16, reader: &mut Reader<'_>) -> Result<Operation, DecodeError> {
                match opcode {
                    $( $opcode => Ok(Operation::$name($name { $( $field: Field::read(reader)?, )* })), )*
                    _ => Err(DecodeError::UnknownOpcode { opcode }),
                }
            }

            /// Name and text of every field, in order.
            pub fn fields(&self) -> Vec<(&'static str, String)> {
                match self {
                    $( Operation::$name(operation) => vec![ $( (stringify!($field), operation.$field.text()), )* ], )*
                }
            }
        }

        impl Operation {
            /// Every field as numbers, in order.
            pub fn numbers(&self) -> Vec<NumberedField> {
                match self {
                    $( Operation::$name(operation) => vec![
                        $( (stringify!($field), <$type as Field>::KIND, operation.$field.numbers()), )*
                    ], )*
                }
            }

            /// The instruction that an operation of the `nash` dialect is, its fields from `numbers`; `None` when it is none.
            ///
            /// # Errors
            /// What `numbers` gives, or why a field is not made of its numbers; names the field.
            pub fn from_numbers(
                op: Op,
                mut numbers: impl FnMut(&'static str, FieldKind) -> Result<Option<Vec<i64>>, String>,
            ) -> Option<Result<Operation, String>> {
                let mut read = || -> Result<Option<Operation>, String> {
                    Ok(Some(match op {
                        Op::Program => return Ok(None),
                        $( Op::$op => Operation::$name($name { $(
                            $field: Field::from_numbers(
                                numbers(stringify!($field), <$type as Field>::KIND)?.as_deref()
                            ).map_err(|reason| format!(concat!("field '", stringify!($field), "' {}"), reason))?,
                        )* }), )*
                    }))
                };
                read().transpose()
            }
        }

        /// The instruction set as data, for documentation.
        pub fn operation_tables() -> Vec<OperationTable> {
            vec![ $( OperationTable {
                opcode: $opcode,
                op: Op::$op,
                engine: Engine::$engine,
                about: concat!($($about, "\n",)*),
                fields: vec![ $( FieldRow {
                    name: stringify!($field),
                    bytes: <$type as Field>::BYTES,
                    layout: <$type as Field>::layout(),
                    meaning: concat!($($meaning,)*),
                }, )* ],
            }, )* ]
        }
    };
}

operations! {
    /// Copies from DDR to L1M.
    0x0001 LoadCopy Load Load {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// Bytes of one element: 1, 2, 4 or 8.
        element_bytes: u8,
        /// Where to read in DDR.
        source: DdrView,
        /// Where to write in L1M.
        destination: View,
    }

    /// Copies from L1M to DDR.
    0x0101 StoreCopy Store Store {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// Bytes of one element: 1, 2, 4 or 8.
        element_bytes: u8,
        /// Where to read in L1M.
        source: View,
        /// Where to write in DDR: an output or the workspace.
        destination: DdrView,
    }

    /// Convolution over an input tile, with 32-bit sums that wrap around.
    ///
    /// `sum[n, y, x, o] = accumulate[n, y, x, o] + Σ_{j, i, c} (input[n, row(y, j), column(x, i), c] − z_input) · weights[o, j, i, c]`,
    /// rows and columns by the window; cells outside of the tile have no part in it. With `depthwise`, there is one input channel per
    /// output channel: the sum over c has the single term `(input[.., o] − z_input) · weights[o, j, i, 0]`.
    /// With `parameters`, the output is `clamp(rescale(sum + bias[o], mantissa[o], shift[o]) + z_output)`; without, it is the sum itself.
    ///
    /// A group is an instruction whose views select its channels; a kernel or a channel range that does not fit in L1M is cut
    /// into several instructions that hand on their sums through `accumulate`. A matrix product is a 1x1 convolution.
    0x0201 TaeConvolution Tae Convolution {
        /// Each output channel sees only its own input channel.
        depthwise: bool,
        /// Batch, rows, columns, channels of the input tile. Depthwise: as many channels as the output.
        input_shape: [u32; 4],
        /// Batch, rows, columns, channels of the output tile.
        output_shape: [u32; 4],
        /// How the kernel slides.
        window: Window,
        /// i8 or i16.
        input_element: BpuElement,
        /// The input tile, by `input_shape`.
        input: View<4>,
        /// i8, by output channel, kernel row, kernel column, input channel (depthwise: of size 1).
        weights: View<4>,
        /// Sums of earlier parts, i32, by `output_shape`; may be the very view of an i32 output.
        accumulate: Option<View<4>>,
        /// Per output channel 12 bytes: bias i32, mantissa i32, shift u32. None: the output is a partial sum.
        parameters: Option<View<1>>,
        /// i8, i16 or i32 with parameters, i32 without.
        output_element: BpuElement,
        /// Of the input, of the output: the integers of the real 0. Others than 0 are for i8; that of the output is not used without parameters.
        zero_points: [i32; 2],
        /// Limits of the result; not used without parameters.
        clamp: Clamp,
        /// The output tile, by `output_shape`.
        output: View<4>,
    }

    /// `output = clamp(round_half_even(((a − z_a) · multiplier_a + (b − z_b) · multiplier_b) / 2^shift) + z_output)`: one rounding.
    0x0301 VaeAdd Vae Add {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// i8 or i16.
        a_element: BpuElement,
        /// i8 or i16.
        b_element: BpuElement,
        /// i8, i16 or i32.
        output_element: BpuElement,
        /// Of a, of b, of the output: the integers of the real 0. Others than 0 are for i8.
        zero_points: [i32; 3],
        /// Factor of a.
        multiplier_a: i32,
        /// Factor of b; negative to subtract.
        multiplier_b: i32,
        /// 0 to 62.
        shift: u32,
        /// Limits of the result.
        clamp: Clamp,
        /// First operand.
        a: View,
        /// Second operand.
        b: View,
        /// Result; may be the very view of an operand of the same element size.
        output: View,
    }

    /// `output = clamp(rescale((a − z_a) · (b − z_b), mantissa, shift) + z_output)`.
    0x0302 VaeMul Vae Mul {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// i8 or i16.
        a_element: BpuElement,
        /// i8 or i16.
        b_element: BpuElement,
        /// i8, i16 or i32.
        output_element: BpuElement,
        /// Of a, of b, of the output: the integers of the real 0. Others than 0 are for i8.
        zero_points: [i32; 3],
        /// Mantissa of the multiplier.
        mantissa: i32,
        /// 0 to 62.
        shift: u32,
        /// Limits of the result.
        clamp: Clamp,
        /// First operand.
        a: View,
        /// Second operand.
        b: View,
        /// Result; may be the very view of an operand of the same element size.
        output: View,
    }

    /// `output = clamp(rescale(input − z_input, mantissa, shift) + z_output)`.
    0x0303 VaeRequantize Vae Requantize {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// i8, i16 or i32.
        input_element: BpuElement,
        /// i8, i16 or i32.
        output_element: BpuElement,
        /// Of the input, of the output: the integers of the real 0. Others than 0 are for i8.
        zero_points: [i32; 2],
        /// Mantissa of the multiplier.
        mantissa: i32,
        /// 0 to 62.
        shift: u32,
        /// Limits of the result.
        clamp: Clamp,
        /// Operand.
        input: View,
        /// Result; may be the very view of the operand when the element sizes agree.
        output: View,
    }

    /// `output = table[input + 128]`, i8 to i8.
    0x0304 VaeLookup Vae Lookup {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// Operand, i8.
        input: View,
        /// 256 entries i8: the first is the image of -128.
        table: View<1>,
        /// Result, i8; may be the very view of the operand.
        output: View,
    }

    /// `output = saturate(round_half_even((c2 · d² + c1 · d + c0) / 2^shift))` with `d = input − start`: a function by quadratic pieces.
    ///
    /// The piece is the last one whose start is not above the input, the first one where there is none. The sum has all its bits.
    0x0305 VaeCurve Vae Curve {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// i8 or i16.
        input_element: BpuElement,
        /// i8 or i16.
        output_element: BpuElement,
        /// Number of pieces, 1 to 64.
        pieces: u32,
        /// 0 to 62.
        shift: u32,
        /// Operand.
        input: View,
        /// Per piece 26 bytes: start i16, c2 i64, c1 i64, c0 i64; starts ascend.
        table: View<1>,
        /// Result; may be the very view of the operand when the element sizes agree.
        output: View,
    }

    /// With `x = input − z_input`, `output = clamp(rescale(x, mantissa, shift) + z_output)` where x is not negative, elsewhere
    /// `clamp(rescale(x · (slope − z_slope), slope_mantissa, slope_shift) + z_output)`.
    0x0306 VaePRelu Vae PRelu {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// i8 or i16.
        input_element: BpuElement,
        /// i8 or i16.
        slope_element: BpuElement,
        /// i8, i16 or i32.
        output_element: BpuElement,
        /// Of the input, of the slope, of the output: the integers of the real 0. Others than 0 are for i8.
        zero_points: [i32; 3],
        /// Mantissa of the multiplier of the input.
        mantissa: i32,
        /// 0 to 62.
        shift: u32,
        /// Mantissa of the multiplier of products.
        slope_mantissa: i32,
        /// 0 to 62.
        slope_shift: u32,
        /// Limits of the result.
        clamp: Clamp,
        /// Operand.
        input: View,
        /// What negative elements are multiplied with.
        slope: View,
        /// Result; may be the very view of an operand of the same element size.
        output: View,
    }

    /// The greatest of the cells of each window that lie in the input tile, and of `accumulate`; the least value of the
    /// element type where there is none.
    0x0401 AaeMaxPool Aae MaxPool {
        /// Batch, rows, columns, channels of the input tile.
        input_shape: [u32; 4],
        /// Batch, rows, columns, channels of the output tile; batch and channels are the input's.
        output_shape: [u32; 4],
        /// How the window slides.
        window: Window,
        /// i8 or i16, input and output alike.
        element: BpuElement,
        /// The input tile, by `input_shape`.
        input: View<4>,
        /// Results of earlier parts of the window, by `output_shape`; may be the very view of the output.
        accumulate: Option<View<4>>,
        /// The output tile, by `output_shape`.
        output: View<4>,
    }

    /// `sum = accumulate + Σ (cell − z_input)` over the cells of the window in the input tile, in 32 bits that wrap around.
    ///
    /// With `count`, the output is `clamp(rescale(sum, mantissa, shift) + z_output)` by the table entry for the number of cells counted;
    /// without, it is the sum itself.
    0x0402 AaeAveragePool Aae AveragePool {
        /// Batch, rows, columns, channels of the input tile.
        input_shape: [u32; 4],
        /// Batch, rows, columns, channels of the output tile; batch and channels are the input's.
        output_shape: [u32; 4],
        /// How the window slides.
        window: Window,
        /// i8 or i16.
        input_element: BpuElement,
        /// The input tile, by `input_shape`.
        input: View<4>,
        /// Sums of earlier parts of the window, i32, by `output_shape`; may be the very view of an i32 output.
        accumulate: Option<View<4>>,
        /// How cells are counted. None: the output is a partial sum.
        count: Option<Count>,
        /// i8 or i16 with a count, i32 without.
        output_element: BpuElement,
        /// Of the input, of the output: the integers of the real 0. Others than 0 are for i8; that of the output is not used without a count.
        zero_points: [i32; 2],
        /// Limits of the result; not used without a count.
        clamp: Clamp,
        /// The output tile, by `output_shape`.
        output: View<4>,
    }

    /// A part of a region of a plane in another size, as `docs/numerics.md` defines it: byte b is the integer b - 128.
    ///
    /// The region and the plane lie in DDR. A region that is empty, or not inside of the plane's pixels, stops the program.
    0x0403 AaeRoiResize Aae RoiResize {
        /// Rows, columns and channels of the plane.
        plane_shape: [u32; 3],
        /// The plane, bytes: the last three strides are those of `plane_shape`.
        plane: DdrView,
        /// Four i32: left, top, right, bottom in pixels, the last two the first beyond the region. The last stride is theirs.
        region: DdrView,
        /// Pixels that a cell of the plane covers along rows and along columns: 1 or 2.
        block: u32,
        /// Rows and columns of the whole result.
        size: [u32; 2],
        /// Row and column of it that the output begins with.
        start: [u32; 2],
        /// Rows, columns and channels of the output.
        output_shape: [u32; 3],
        /// The part of the result, i8, by `output_shape`.
        output: View<3>,
    }

    /// Copies within L1M: transposition, concatenation, slices, broadcasts.
    0x0501 DteCopy Dte Copy {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// Bytes of one element: 1, 2, 4 or 8.
        element_bytes: u8,
        /// Where to read.
        source: View,
        /// Where to write; apart from what is read.
        destination: View,
    }

    /// Fills L1M with one value.
    0x0502 DteFill Dte Fill {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// Bytes of one element: 1, 2 or 4.
        element_bytes: u8,
        /// The element's bits; the low bytes are used.
        value: u32,
        /// Where to write.
        destination: View,
    }

    /// `output = saturate(round_half_even(input / scale) + zero_point)`, f32 to integer; NaN gives the zero point.
    0x0601 VpuQuantize Vpu Quantize {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// i8 or i16.
        output_element: BpuElement,
        /// Positive and finite.
        scale: f32,
        /// The integer of the real 0. Others than 0 are for i8.
        zero_point: i32,
        /// Operand, f32.
        input: View,
        /// Result.
        output: View,
    }

    /// `output = saturate(round_half_even((input − mean) · factor / scale) + zero_point)`, each of the three steps rounded to f32; NaN gives the
    /// zero point.
    0x0603 VpuNormalize Vpu Normalize {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// i8 or i16.
        output_element: BpuElement,
        /// Positive and finite.
        scale: f32,
        /// The integer of the real 0. Others than 0 are for i8.
        zero_point: i32,
        /// What is subtracted, f32, by `shape`: stride 0 along a dimension that shares them.
        means: View,
        /// What is multiplied with then, f32, by `shape`.
        factors: View,
        /// Operand, f32.
        input: View,
        /// Result.
        output: View,
    }

    /// A program of f32 arithmetic on each row, as `docs/numerics.md` defines it.
    ///
    /// The last `row_dimensions` dimensions of the shape make up a row, in row-major order; with none, every element is a row of its own.
    0x0604 VpuRun Vpu Run {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// 0 to 6.
        row_dimensions: u32,
        /// The types of the operands, and the steps.
        program: RowProgram,
        /// First operand, by `shape`: stride 0 along a dimension that repeats it.
        operand0: Option<View>,
        /// Second operand.
        operand1: Option<View>,
        /// Third operand.
        operand2: Option<View>,
        /// Fourth operand.
        operand3: Option<View>,
        /// Fifth operand.
        operand4: Option<View>,
        /// Sixth operand.
        operand5: Option<View>,
        /// i8, i16, f32 or f16.
        output_element: BpuElement,
        /// Positive and finite; not used with f32 and f16.
        output_scale: f32,
        /// The integer of the real 0 in the output. Others than 0 are for i8.
        output_zero_point: i32,
        /// The output has one element for each row, the first: of its view, the dimensions of a row count as 1.
        reduced: bool,
        /// Result.
        output: View,
    }

    /// `output = (input − zero_point) · scale`, integer to f32. With `scales`, every element has the factor at its own place there.
    0x0602 VpuDequantize Vpu Dequantize {
        /// Sizes, outermost first.
        shape: [u32; RANK],
        /// i8, i16 or i32.
        input_element: BpuElement,
        /// Positive and finite; not used with scales.
        scale: f32,
        /// The integer of the real 0. Others than 0 are for i8.
        zero_point: i32,
        /// Factors, f32, by `shape`: stride 0 along a dimension that shares them.
        scales: Option<View>,
        /// Operand.
        input: View,
        /// Result, f32.
        output: View,
    }

    /// Ends a function call: other programs may run before what follows. The first bytes of L1M hold nothing in particular afterwards, which
    /// counts as a write; the workspace and the outputs keep what they hold.
    0x0701 SpuYield Spu Yield {
        /// How many bytes of L1M are lost: all of them, where nothing that comes before shall run beside what follows.
        bytes: u32,
    }
}
