//! Of which elements of a dimension a resized one is made, and with which weights.
//!
//! ONNX defines positions as reals. Here they are f32, operation by operation as in onnxruntime: where a position falls between two
//! elements, both then choose the same one.

/// What one element along a resized dimension is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Elements of the input and their weights. A result of several dimensions is the sum over all combinations.
    pub taps: Vec<(usize, f64)>,
    /// The position lies outside of the input: the result is the extrapolation value.
    pub outside: bool,
}

/// How positions of the result become positions of the input.
pub(super) struct Coordinates {
    pub mode: &'static str,
    pub scale: f32,
    pub size: usize,
    pub output: u64,
    /// Start and end of the region of interest, as fractions.
    pub region: [f32; 2],
}

/// How an element is made of those around its position.
pub(super) struct ResizeKernel {
    pub mode: &'static str,
    pub nearest: &'static str,
    pub cubic: f64,
    pub exclude_outside: bool,
    pub antialias: bool,
}

impl Coordinates {
    /// The position in the input of element `at` of the result.
    fn position(&self, at: u64) -> f32 {
        let (x, scale) = (at as f32, self.scale);
        let (last, size, output) = (self.size as f32 - 1.0, self.size as f32, self.output as f32);
        // onnxruntime takes a dimension whose scale is 1 as it is, in every mode.
        if scale == 1.0 {
            return x;
        }
        match self.mode {
            "asymmetric" => x / scale,
            "pytorch_half_pixel" if self.output <= 1 => 0.0,
            "align_corners" if self.output <= 1 => 0.0,
            "align_corners" => x * last / (output - 1.0),
            "half_pixel_symmetric" => {
                let adjustment = output / (scale * size);
                size / 2.0 * (1.0 - adjustment) + (x + 0.5) / scale - 0.5
            }
            "tf_crop_and_resize" => {
                let [start, end] = self.region;
                if self.output > 1 {
                    start * last + (x * (end - start) * last) / (output - 1.0)
                } else {
                    0.5 * (start + end) * last
                }
            }
            _ => (x + 0.5) / scale - 0.5,
        }
    }
}

/// The samples of a dimension.
pub(super) fn samples(coordinates: &Coordinates, kernel: &ResizeKernel) -> Vec<Sample> {
    let last = coordinates.size.saturating_sub(1);
    (0..coordinates.output)
        .map(|at| {
            let position = coordinates.position(at);
            let outside = coordinates.mode == "tf_crop_and_resize" && !(0.0..=last as f32).contains(&position);
            let taps = match kernel.mode {
                "nearest" => vec![(nearest(position, kernel.nearest, last), 1.0)],
                _ if kernel.antialias => antialiased(position, coordinates, kernel),
                "linear" => linear(position, last),
                _ => cubic(position, kernel, last),
            };
            Sample { taps, outside }
        })
        .collect()
}

/// A position that may lie before the first or behind the last element.
fn clamped(position: i64, last: usize) -> usize {
    usize::try_from(position).unwrap_or(0).min(last)
}

fn nearest(position: f32, mode: &str, last: usize) -> usize {
    let rounded = match mode {
        "floor" => position.floor(),
        "ceil" => position.ceil(),
        "round_prefer_floor" if position - position.floor() == 0.5 => position.floor(),
        _ => position.round(),
    };
    clamped(rounded as i64, last)
}

fn linear(position: f32, last: usize) -> Vec<(usize, f64)> {
    let position = position.clamp(0.0, last as f32);
    let first = position.floor() as usize;
    let second = (first + 1).min(last);
    if first == second {
        return vec![(first, 1.0)];
    }
    let weight = f64::from(position - position.floor());
    vec![(first, 1.0 - weight), (second, weight)]
}

fn cubic(position: f32, kernel: &ResizeKernel, last: usize) -> Vec<(usize, f64)> {
    let floor = position.floor();
    let first = (floor as i64).saturating_sub(1);
    let taps: Vec<(i64, f64)> = (0..4)
        .map(|tap| first.saturating_add(tap))
        .map(|at| (at, cubic_weight((f64::from(position) - at as f64).abs(), kernel.cubic)))
        .collect();
    within(&taps, kernel.exclude_outside, last)
}

/// The weight of an element at this distance (Keys' cubic convolution).
fn cubic_weight(distance: f64, a: f64) -> f64 {
    match distance {
        x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
        _ => 0.0,
    }
}

/// Taps outside of the input become its border elements, or nothing; then the others have their weight too.
fn within(taps: &[(i64, f64)], exclude_outside: bool, last: usize) -> Vec<(usize, f64)> {
    let inside = |at: i64| usize::try_from(at).is_ok_and(|at| at <= last);
    let kept = taps.iter().filter(|(at, _)| !exclude_outside || inside(*at));
    let total: f64 = if exclude_outside { kept.clone().map(|(_, weight)| weight).sum() } else { 1.0 };
    let mut result: Vec<(usize, f64)> = Vec::with_capacity(taps.len());
    for &(at, weight) in kept {
        let at = clamped(at, last);
        match result.last_mut() {
            Some((known, sum)) if *known == at => *sum += weight / total,
            _ => result.push((at, weight / total)),
        }
    }
    result
}

/// Downsampling with a kernel as wide as the distance of the samples.
fn antialiased(position: f32, coordinates: &Coordinates, kernel: &ResizeKernel) -> Vec<(usize, f64)> {
    let stretch = f64::from((1.0 / coordinates.scale).max(1.0));
    let cubic = kernel.mode == "cubic";
    let support = stretch * if cubic { 2.0 } else { 1.0 };
    let center = f64::from(position) + 0.5;
    let (first, end) = ((center - support + 0.5).floor() as i64, (center + support + 0.5).floor() as i64);
    let weight = |at: i64| {
        let distance = ((at as f64 - center + 0.5) / stretch).abs();
        if cubic { cubic_weight(distance, kernel.cubic) } else { (1.0 - distance).max(0.0) }
    };
    let last = coordinates.size.saturating_sub(1);
    let taps: Vec<(i64, f64)> = (first..end).map(|at| (at, weight(at))).collect();
    let total: f64 = taps.iter().map(|(_, weight)| weight).sum();
    let taps: Vec<(i64, f64)> = taps.into_iter().map(|(at, weight)| (at, weight / total)).collect();
    within(&taps, kernel.exclude_outside, last)
}
