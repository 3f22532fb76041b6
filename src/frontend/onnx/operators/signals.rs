//! Windows, Fourier transforms and what is made of them.

use std::f64::consts::TAU;

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::compose::{Composer, Made};
use hb_dialects::ElementType;

/// A transform is a product with a matrix of its length squared, so that is bounded.
const LONGEST_TRANSFORM: i64 = 4096;

/// a0 - a1 cos(t) + a2 cos(2t) with t from 0 to a whole turn.
pub(super) fn compose_window(rewriter: &mut Rewriter, node: Node, [a0, a1, a2]: [f64; 3]) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let element = c.element_attribute("output_datatype")?.unwrap_or(ElementType::F32);
    let size = c.input(0)?;
    let positions = c.count_to(&size)?;
    let positions = c.cast(&positions, ElementType::F64)?;
    let mut steps = c.cast(&size, ElementType::F64)?;
    if c.int("periodic") == Some(0) {
        let one = c.scalar(ElementType::F64, 1.0)?;
        steps = c.make("Sub", &[&steps, &one])?;
    }
    let share = c.make("Div", &[&positions, &steps])?;
    let mut window = c.scalar(ElementType::F64, a0)?;
    for (turns, factor) in [(1.0, -a1), (2.0, a2)] {
        let (turns, factor) = (c.scalar(ElementType::F64, turns * TAU)?, c.scalar(ElementType::F64, factor)?);
        let angle = c.make("Mul", &[&share, &turns])?;
        let wave = c.make("Cos", &[&angle])?;
        let wave = c.make("Mul", &[&wave, &factor])?;
        window = c.make("Add", &[&window, &wave])?;
    }
    let result = c.cast(&window, element)?;
    c.give(&[&result])
}

/// What a transform makes of a signal.
struct Transform {
    /// Of the signal, padded with zeros or cut.
    length: i64,
    inverse: bool,
    onesided: bool,
}

impl Transform {
    /// Of a real signal the first half of the frequencies says all.
    fn half(&self) -> i64 {
        if self.onesided { self.length / 2 + 1 } else { self.length }
    }

    /// What it gives, and what it takes at most.
    fn bins(&self) -> i64 {
        if self.inverse { self.length } else { self.half() }
    }

    fn most_samples(&self) -> i64 {
        if self.inverse { self.half() } else { self.length }
    }

    /// How often what is at a place of the input counts: an inverse of half of the frequencies counts those for the others, too.
    fn weight(&self, sample: i64) -> f64 {
        let is_alone = sample == 0 || 2 * sample == self.length;
        match (self.inverse, self.onesided) {
            (true, true) if !is_alone => 2.0 / self.length as f64,
            (true, _) => 1.0 / self.length as f64,
            (false, _) => 1.0,
        }
    }

    /// Of `[samples, bins]`: the cosines and the sines that the real and imaginary parts of the result are sums of.
    fn waves(&self, samples: i64) -> [Vec<f64>; 2] {
        let turn = if self.inverse { TAU } else { -TAU };
        let mut waves = [Vec::new(), Vec::new()];
        for sample in 0..samples {
            let weight = self.weight(sample);
            for bin in 0..self.bins() {
                // The angle is that of the remainder, which loses no digits.
                let angle = turn * ((sample * bin) % self.length) as f64 / self.length as f64;
                let [cosines, sines] = &mut waves;
                cosines.push(angle.cos() * weight);
                sines.push(angle.sin() * weight);
            }
        }
        waves
    }

    /// Of a signal `[..., samples]` whose imaginary part may be 0 everywhere: both parts of `[..., bins]`.
    fn of(&self, c: &mut Composer, real: &str, imaginary: Option<&str>) -> Result<[String; 2], OnnxError> {
        let last = c.axis(real, -1)?;
        let samples = c.known(real, last)?.min(self.most_samples());
        let shape = [samples as usize, self.bins() as usize];
        let element = c.element(real)?;
        let [cosines, sines] = self.waves(samples).map(|waves| c.values(element, &shape, &waves));
        let (cosines, sines) = (cosines?, sines?);
        let real = c.slice(real, -1, (0, samples, 1))?;
        let [mut of_real, mut of_imaginary] =
            [c.make("MatMul", &[&real, &cosines])?, c.make("MatMul", &[&real, &sines])?];
        if let Some(imaginary) = imaginary {
            let imaginary = c.slice(imaginary, -1, (0, samples, 1))?;
            let (crossed, straight) =
                (c.make("MatMul", &[&imaginary, &sines])?, c.make("MatMul", &[&imaginary, &cosines])?);
            of_real = c.make("Sub", &[&of_real, &crossed])?;
            of_imaginary = c.make("Add", &[&of_imaginary, &straight])?;
        }
        Ok([of_real, of_imaginary])
    }
}

/// A length that must be known and not too long.
fn checked_length(c: &Composer, length: i64) -> Result<i64, OnnxError> {
    if (1..=LONGEST_TRANSFORM).contains(&length) {
        Ok(length)
    } else {
        Err(c.fault(format!("transforms {length} samples; 1 to {LONGEST_TRANSFORM} are supported")))
    }
}

fn first_constant(c: &Composer, value: &str, what: &str) -> Result<i64, OnnxError> {
    c.constant_ints(value, what)?.first().copied().ok_or_else(|| c.fault(format!("its {what} is empty")))
}

pub(super) fn compose_dft(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let rank = c.rank(&x)?;
    let axis = match (c.optional(2), c.opset() < 20) {
        (Some(axis), _) => first_constant(&c, &axis, "axis")?,
        (None, true) => c.int("axis").unwrap_or(1),
        (None, false) => -2,
    };
    let axis = c.axis(&x, axis)?;
    let parts = c.known(&x, rank.saturating_sub(1))?;
    if rank < 2 || axis + 1 == rank || !(1..=2).contains(&parts) {
        return Err(c.fault("has an input whose last dimension is not that of real and imaginary parts"));
    }
    let (inverse, onesided) = (c.flag("inverse"), c.flag("onesided"));
    let length = match c.optional(1) {
        Some(length) => first_constant(&c, &length, "dft_length")?,
        None if inverse && onesided => 2 * (c.known(&x, axis)? - 1),
        None => c.known(&x, axis)?,
    };
    let transform = Transform { length: checked_length(&c, length)?, inverse, onesided };
    // The axis becomes the last one of each part.
    let mut to_last: Vec<i64> = (0..rank as i64 - 1).filter(|place| *place != axis as i64).collect();
    to_last.push(axis as i64);
    let part = |c: &mut Composer, place: i64| {
        let part = c.slice(&x, -1, (place, place + 1, 1))?;
        let part = c.squeeze(&part, &[-1])?;
        c.transpose(&part, &to_last)
    };
    let real = part(&mut c, 0)?;
    let imaginary = if parts == 2 { Some(part(&mut c, 1)?) } else { None };
    let results = transform.of(&mut c, &real, imaginary.as_deref())?;
    let mut back = vec![0; to_last.len()];
    for (place, source) in to_last.iter().enumerate() {
        if let Some(slot) = back.get_mut(*source as usize) {
            *slot = place as i64;
        }
    }
    // What is transformed back from half of the frequencies is real.
    let result = if inverse && onesided {
        let [real, _] = results;
        let real = c.transpose(&real, &back)?;
        c.unsqueeze(&real, &[-1])?
    } else {
        complex(&mut c, results, Some(&back))?
    };
    c.give(&[&result])
}

/// Both parts along a new last dimension.
fn complex(c: &mut Composer, parts: [String; 2], perm: Option<&[i64]>) -> Made {
    let [real, imaginary] = parts.map(|part| {
        let part = match perm {
            Some(perm) => c.transpose(&part, perm)?,
            None => part,
        };
        c.unsqueeze(&part, &[-1])
    });
    c.concat(&[&real?, &imaginary?], -1)
}

/// Transforms of parts of a signal `[batch, length, 1 or 2]`, each times the window.
pub(super) fn compose_stft(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let signal = c.input(0)?;
    let step = first_constant(&c, &c.input(1)?, "frame_step")?;
    let window = c.optional(2);
    let length = match (c.optional(3), &window) {
        (Some(length), _) => first_constant(&c, &length, "frame_length")?,
        (None, Some(window)) => c.known(window, 0)?,
        (None, None) => return Err(c.fault("has neither a window nor a frame_length")),
    };
    let length = checked_length(&c, length)?;
    let (samples, parts) = (c.known(&signal, 1)?, if c.rank(&signal)? == 3 { c.known(&signal, 2)? } else { 1 });
    if step < 1 || samples < length {
        return Err(c.fault(format!("takes frames of {length} samples, {step} apart, of {samples}")));
    }
    let frames = (samples - length) / step + 1;
    let places =
        c.table(ElementType::I64, &[frames, length], |place| (place / length * step + place % length) as f64)?;
    let part = |c: &mut Composer, place: i64| -> Made {
        let part = if c.rank(&signal)? == 3 {
            let part = c.slice(&signal, 2, (place, place + 1, 1))?;
            c.squeeze(&part, &[2])?
        } else {
            signal.clone()
        };
        let part = c.gather(&part, &places, 1)?;
        match &window {
            Some(window) => c.make("Mul", &[&part, window]),
            None => Ok(part),
        }
    };
    let real = part(&mut c, 0)?;
    let imaginary = if parts == 2 { Some(part(&mut c, 1)?) } else { None };
    let transform = Transform { length, inverse: false, onesided: c.int("onesided") != Some(0) };
    let results = transform.of(&mut c, &real, imaginary.as_deref())?;
    let result = complex(&mut c, results, None)?;
    c.give(&[&result])
}

/// Triangles over the bins of a transform whose corners are equally far apart on the mel scale.
pub(super) fn compose_mel_weight_matrix(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let element = c.element_attribute("output_datatype")?.unwrap_or(ElementType::F32);
    let number = |index: usize, what: &str| -> Result<f64, OnnxError> {
        let values = c.constant(&c.input(index)?).and_then(|constant| constant.to_f64s().ok());
        let value = values.and_then(|values| values.first().copied()).filter(|value| value.is_finite());
        value.ok_or_else(|| c.fault(format!("its {what} must be a constant number")))
    };
    let (bins, length, rate) = (number(0, "num_mel_bins")?, number(1, "dft_length")?, number(2, "sample_rate")?);
    let (low, high) = (number(3, "lower_edge_hertz")?, number(4, "upper_edge_hertz")?);
    let spectrum = (length / 2.0).floor() + 1.0;
    if !(1.0..=65536.0).contains(&bins) || !(1.0..=65536.0).contains(&length) || rate <= 0.0 {
        return Err(c.fault(format!("has {bins} bins of {length} samples at {rate} Hz")));
    }
    let mel = |hertz: f64| 2595.0 * (1.0 + hertz / 700.0).log10();
    let step = (mel(high) - mel(low)) / (bins + 2.0);
    let corner = |number: f64| {
        let hertz = 700.0 * (10f64.powf((number * step + mel(low)) / 2595.0) - 1.0);
        ((length + 1.0) * hertz / rate).floor()
    };
    let weight = |row: i64, column: i64| {
        let (row, place) = (row as f64, column as f64);
        let (begin, middle, end) = (corner(row), corner(row + 1.0), corner(row + 2.0));
        if place == middle && middle == begin {
            1.0
        } else if (begin..=middle).contains(&place) {
            (place - begin) / (middle - begin)
        } else if (middle..end).contains(&place) {
            (end - place) / (end - middle)
        } else {
            0.0
        }
    };
    let (rows, columns) = (spectrum as i64, bins as i64);
    let result = c.table(element, &[rows, columns], |index| weight(index % columns, index / columns))?;
    c.give(&[&result])
}
