//! Random networks of the operators that have a hardware form, with a softmax here and there.

use super::{check, check_rewritten, int16, named};

/// A value of the network under construction, and the one whose scale it has.
#[derive(Clone)]
struct Known {
    name: String,
    scale_of: String,
    shape: [usize; 4],
}

/// Builds a network line by line; `next` draws from a fixed sequence.
struct Generator {
    state: u64,
    lines: Vec<String>,
    known: Vec<Known>,
}

fn written(shape: &[usize]) -> String {
    format!("tensor<{}f32>", shape.iter().map(|size| format!("{size}x")).collect::<String>())
}

impl Generator {
    fn next(&mut self, below: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        ((self.state >> 20) % below as u64) as usize
    }

    fn pick(&mut self) -> Known {
        let position = self.next(self.known.len());
        self.known[position].clone()
    }

    fn last(&self) -> Known {
        self.known[self.known.len() - 1].clone()
    }

    fn constant(&mut self, text: &str) -> String {
        let name = format!("k{}", self.lines.len());
        self.lines.push(format!("%{name} = {text}"));
        name
    }

    fn node(&mut self, text: &str, shape: [usize; 4], like: Option<&Known>) {
        let name = format!("n{}", self.lines.len());
        self.lines.push(format!("%{name} = {text} -> {}", written(&shape)));
        let scale_of = like.map_or(&name, |like| &like.scale_of).clone();
        self.known.push(Known { name, scale_of, shape });
    }

    fn convolution(&mut self, x: &Known) {
        let [n, c, h, w] = x.shape;
        let (kernel, stride, pad) = (1 + 2 * self.next(2), 1 + self.next(2), self.next(2));
        if h + 2 * pad < kernel || w + 2 * pad < kernel {
            return;
        }
        let group = if self.next(3) == 0 { c } else { 1 };
        let filters = group * (1 + self.next(if group == 1 { 6 } else { 2 }));
        let weight_shape = [filters, c / group, kernel, kernel];
        let weight = self.constant(&format!("@({filters}x{}x{kernel}x{kernel})", c / group));
        let bias = self.constant(&format!("@({filters})"));
        let clamp = if self.next(2) == 0 { ", activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>" } else { "" };
        let size = |size: usize| (size + 2 * pad - kernel) / stride + 1;
        self.node(
            &format!(
                "hfloat.conv %{}, %{weight}, %{bias} {{strides = array<i64: {stride}, {stride}>, pads = array<i64: {pad}, {pad}, {pad}, {pad}>, \
                 dilations = array<i64: 1, 1>, group = {group} : si64{clamp}}} : ({}, {}, tensor<{filters}xf32>)",
                x.name,
                written(&x.shape),
                written(&weight_shape)
            ),
            [n, filters, size(h), size(w)],
            None,
        );
    }

    fn binary(&mut self, x: &Known) {
        let name = ["hfloat.add", "hfloat.mul"][self.next(2)];
        let partner = self.pick();
        let (other, other_shape) = if partner.shape == x.shape {
            (partner.name, written(&partner.shape))
        } else {
            let [_, c, h, w] = x.shape;
            let shape = &[vec![c, 1, 1], vec![w], vec![1, c, h, 1]][self.next(3)];
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            (self.constant(&format!("@({})", sizes.join("x"))), written(shape))
        };
        let both = format!("{name} %{}, %{other} : ({}, {other_shape})", x.name, written(&x.shape));
        self.node(&both, x.shape, None);
    }

    fn pool(&mut self, x: &Known) {
        let [n, c, h, w] = x.shape;
        let (kernel, stride, pad) = (2 + self.next(2), 1 + self.next(2), self.next(2));
        if h + 2 * pad < kernel || w + 2 * pad < kernel {
            return;
        }
        let largest = self.next(2) == 0;
        let size = |size: usize| (size + 2 * pad - kernel) / stride + 1;
        let name = if largest { "hfloat.max_pool" } else { "hfloat.average_pool" };
        self.node(
            &format!(
                "{name} %{} {{kernel_shape = array<i64: {kernel}, {kernel}>, strides = array<i64: {stride}, {stride}>, \
                 pads = array<i64: {pad}, {pad}, {pad}, {pad}>, dilations = array<i64: 1, 1>}} : ({})",
                x.name,
                written(&x.shape)
            ),
            [n, c, size(h), size(w)],
            largest.then_some(x),
        );
    }

    fn concat(&mut self, x: &Known) {
        let partner = self.pick();
        let axis = self.next(4);
        if (0..4).any(|i| i != axis && x.shape[i] != partner.shape[i]) {
            return;
        }
        let mut shape = x.shape;
        shape[axis] += partner.shape[axis];
        let types = format!("({}, {})", written(&x.shape), written(&partner.shape));
        let text = format!("hfloat.concat %{}, %{} {{axis = {axis} : si64}} : {types}", x.name, partner.name);
        self.node(&text, shape, None);
    }

    fn slice(&mut self, x: &Known) {
        let axis = self.next(4);
        let size = x.shape[axis];
        let (start, end, step, count) = match self.next(3) {
            0 => (size as i64 - 1, -100, -1, size),
            1 => (0, 100, 2, size.div_ceil(2)),
            _ => ((size / 2) as i64, 100, 1, size - size / 2),
        };
        let mut shape = x.shape;
        shape[axis] = count;
        let operands: Vec<String> = [start, end, axis as i64, step]
            .iter()
            .map(|value| format!("%{}", self.constant(&format!("hfloat.constant dense<[{value}]> : tensor<1xi64>"))))
            .collect();
        let types = format!("({}, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)", written(&x.shape));
        self.node(&format!("hfloat.slice %{}, {} : {types}", x.name, operands.join(", ")), shape, Some(x));
    }

    fn transpose(&mut self, x: &Known) {
        let permutation = [[0, 1, 3, 2], [0, 2, 3, 1], [0, 3, 1, 2], [1, 0, 2, 3]][self.next(4)];
        let shape = permutation.map(|i| x.shape[i]);
        let text = permutation.map(|i: usize| i.to_string()).join(", ");
        let text = format!("hfloat.transpose %{} {{perm = array<i64: {text}>}} : ({})", x.name, written(&x.shape));
        self.node(&text, shape, Some(x));
    }

    fn reshape(&mut self, x: &Known) {
        let [n, c, h, w] = x.shape;
        let shape = [[n, c, w, h], [n, c * h, 1, w], [n, h, w, c], [1, n * c, h, w]][self.next(4)];
        let sizes = shape.map(|size| size.to_string()).join(", ");
        let constant = self.constant(&format!("hfloat.constant dense<[{sizes}]> : tensor<4xi64>"));
        let text = format!("hfloat.reshape %{}, %{constant} : ({}, tensor<4xi64>)", x.name, written(&x.shape));
        self.node(&text, shape, Some(x));
    }

    fn unary(&mut self, x: &Known, name: &str) {
        let mut shape = x.shape;
        if name == "hfloat.global_average_pool" {
            shape = [shape[0], shape[1], 1, 1];
        }
        self.node(&format!("{name} %{} : ({})", x.name, written(&x.shape)), shape, None);
    }

    fn step(&mut self) {
        let x = if self.next(3) == 0 { self.pick() } else { self.last() };
        match self.next(13) {
            0..=2 => self.convolution(&x),
            3 | 4 => self.binary(&x),
            5 | 6 => self.pool(&x),
            7 => self.concat(&x),
            8 => self.slice(&x),
            9 => self.transpose(&x),
            10 => self.reshape(&x),
            11 => self.unary(&x, "hfloat.relu"),
            _ if self.next(3) > 0 => self.unary(&x, "hfloat.global_average_pool"),
            _ => self.unary(&x, "hfloat.softmax"),
        }
    }
}

fn run(seed: u64) {
    let state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut generator = Generator { state, lines: Vec::new(), known: Vec::new() };
    let shape = [1 + generator.next(2), 1 + generator.next(5), 3 + generator.next(6), 3 + generator.next(6)];
    generator.known.push(Known { name: "x".into(), scale_of: "x".into(), shape });
    // A first operator that is quantized, whatever follows.
    let x = generator.last();
    generator.unary(&x, "hfloat.relu");
    for _ in 0..8 {
        generator.step();
    }
    let output = generator.last();
    let (from, to) = (written(&shape), written(&output.shape));
    let mut text = format!("func.func @main(%x: {from} {{hfloat.name = \"x\"}}) -> {to} {{\n");
    for line in &generator.lines {
        text.push_str(&named(line));
    }
    text.push_str(&format!("return %{} : {to}\n}}", output.name));
    check(&text, &output.scale_of, None, 8.0, 1.0);
    // All activations of 16 bits: what is left is far below a step of 8 bits.
    let rewrite = |text: String| int16::widened(&text, &|_| true);
    check_rewritten(&text, &output.scale_of, None, (1.0, 1.0), 127.0, &rewrite);
}

#[test]
fn random_networks_agree_on_every_level() {
    let failed: Vec<u64> = (0..24).filter(|&seed| std::panic::catch_unwind(|| run(seed)).is_err()).collect();
    assert!(failed.is_empty(), "seeds {failed:?}");
}
