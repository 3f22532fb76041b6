//! Programs as text: one line for each step, as in `%2 = subtract %0 %1`.

use std::fmt;

use super::step::{VectorBinary, VectorProgram, VectorReduction, VectorStep, VectorUnary};

impl fmt::Display for VectorStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            VectorStep::Load(operand) => write!(f, "load {operand}"),
            // As few digits as tell it from its neighbours.
            VectorStep::Constant(value) => write!(f, "constant {value:?}"),
            VectorStep::Unary(function, a) => write!(f, "{} %{a}", function.name()),
            VectorStep::Binary(function, a, b) => write!(f, "{} %{a} %{b}", function.name()),
            VectorStep::Select(a, b, c) => write!(f, "select %{a} %{b} %{c}"),
            VectorStep::Reduce(reduction, a) => write!(f, "{} %{a}", reduction.name()),
        }
    }
}

impl VectorProgram {
    /// One line for each step.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.steps().iter().enumerate().map(|(number, step)| format!("%{number} = {step}")).collect()
    }

    /// The program of such lines.
    ///
    /// # Errors
    /// When a line is none, or as [`VectorProgram::new`].
    pub fn parse<'t>(lines: impl IntoIterator<Item = &'t str>) -> Result<VectorProgram, String> {
        VectorProgram::new(VectorProgram::parse_steps(lines)?)
    }

    /// The steps of such lines, which need not be a program.
    ///
    /// # Errors
    /// When a line is none.
    pub fn parse_steps<'t>(lines: impl IntoIterator<Item = &'t str>) -> Result<Vec<VectorStep>, String> {
        let mut steps = Vec::new();
        for (number, line) in lines.into_iter().enumerate() {
            let step = line.split_once('=').filter(|(name, _)| name.trim() == format!("%{number}"));
            let (_, step) = step.ok_or_else(|| format!("line '{line}' does not begin with '%{number} ='"))?;
            steps.push(parse_step(step).map_err(|reason| format!("line '{line}' {reason}"))?);
        }
        Ok(steps)
    }
}

fn parse_step(text: &str) -> Result<VectorStep, String> {
    let mut words = text.split_whitespace();
    let word = words.next().unwrap_or_default();
    let given: Vec<&str> = words.collect();
    let unary = VectorUnary::ALL.iter().find(|function| function.name() == word);
    let binary = VectorBinary::ALL.iter().find(|function| function.name() == word);
    let reduction = VectorReduction::ALL.iter().find(|reduction| reduction.name() == word);
    if let Some(function) = unary {
        let [a] = values(&given)?;
        return Ok(VectorStep::Unary(*function, a));
    }
    if let Some(function) = binary {
        let [a, b] = values(&given)?;
        return Ok(VectorStep::Binary(*function, a, b));
    }
    if let Some(reduction) = reduction {
        let [a] = values(&given)?;
        return Ok(VectorStep::Reduce(*reduction, a));
    }
    match (word, given.as_slice()) {
        ("select", _) => {
            let [a, b, c] = values(&given)?;
            Ok(VectorStep::Select(a, b, c))
        }
        ("load", [operand]) => operand
            .parse()
            .map(VectorStep::Load)
            .map_err(|_| format!("loads '{operand}', which is no number of an operand")),
        ("constant", [value]) => {
            value.parse().map(VectorStep::Constant).map_err(|_| format!("has '{value}', which is no number"))
        }
        ("load" | "constant", _) => Err(format!("has {} words after '{word}', not 1", given.len())),
        _ => Err(format!("has '{word}', which is no step")),
    }
}

/// Values as in `%3`, so many.
fn values<const COUNT: usize>(words: &[&str]) -> Result<[u8; COUNT], String> {
    let numbers: Result<Vec<u8>, String> = words
        .iter()
        .map(|word| {
            let number = word.strip_prefix('%').and_then(|number| number.parse().ok());
            number.ok_or_else(|| format!("has '{word}', which is no value such as %0"))
        })
        .collect();
    let numbers = numbers?;
    let count = numbers.len();
    numbers.try_into().map_err(|_| format!("has {count} values, not {COUNT}"))
}
