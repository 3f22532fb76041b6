//! Einsum: sums of products over named dimensions, two operands at a time, each time as one matrix product.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::compose::{Composer, Made};

/// A dimension's name: a letter, or the place of a dimension that an ellipsis stands for, counted from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// A value and the names of its dimensions, each once.
struct Term {
    value: String,
    labels: Vec<Label>,
}

/// The names of one term of an equation; `ellipsis` dimensions stand where it has dots.
fn labels(text: &str, ellipsis: usize) -> Result<Vec<Label>, String> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("...") {
            all.extend((0..ellipsis).rev().map(Label::Ellipsis));
            rest = after;
        } else if first.is_ascii_alphabetic() {
            all.push(Label::Letter(first));
            rest = rest.get(1..).unwrap_or_default();
        } else {
            return Err(format!("has {first:?} in its equation"));
        }
    }
    Ok(all)
}

/// What the equation does not say: letters that stand once, in their order, behind the dimensions of ellipses.
fn implicit_result(terms: &[Vec<Label>]) -> Vec<Label> {
    let all: Vec<Label> = terms.iter().flatten().copied().collect();
    let mut result: Vec<Label> = all
        .iter()
        .copied()
        .filter(|label| matches!(label, Label::Ellipsis(_)) || all.iter().filter(|other| *other == label).count() == 1)
        .collect();
    // Dimensions of ellipses count from the end, so the outermost has the largest number.
    result.sort_by_key(|label| match label {
        Label::Ellipsis(place) => (0, usize::MAX - place),
        Label::Letter(letter) => (1, *letter as usize),
    });
    result.dedup();
    result
}

pub(super) fn compose_einsum(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let equation: String = c.text("equation").unwrap_or_default().split_whitespace().collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let texts: Vec<&str> = left.split(',').collect();
    let inputs = c.inputs();
    if texts.len() != inputs.len() {
        return Err(c.fault(format!("has {} inputs, its equation {equation:?} has {}", inputs.len(), texts.len())));
    }
    let (mut all, mut widest) = (Vec::new(), 0);
    for (text, input) in texts.iter().zip(&inputs) {
        let letters = labels(text, 0).map_err(|reason| c.fault(reason))?.len();
        let rank = c.rank(input)?;
        let dotted = text.contains("...");
        let ellipsis = rank.checked_sub(letters).filter(|rest| dotted || *rest == 0);
        let ellipsis = ellipsis.ok_or_else(|| c.fault(format!("has an input of rank {rank} for {text:?}")))?;
        widest = widest.max(ellipsis);
        all.push(labels(text, ellipsis).map_err(|reason| c.fault(reason))?);
    }
    let result = match right {
        Some(right) => labels(right, widest).map_err(|reason| c.fault(reason))?,
        None => implicit_result(&all),
    };
    let stands_once = |label: &Label| result.iter().filter(|other| *other == label).count() == 1;
    if let Some(label) =
        result.iter().find(|label| !stands_once(label) || !all.iter().flatten().any(|own| own == *label))
    {
        return Err(c.fault(format!("has a result with {label:?}, which no input has, or which stands there twice")));
    }
    let mut terms = Vec::new();
    for (input, labels) in inputs.into_iter().zip(all) {
        terms.push(diagonal(&mut c, Term { value: input, labels })?);
    }
    let mut terms = terms.into_iter();
    let mut joint = terms.next().ok_or_else(|| c.fault("has no input"))?;
    let rest: Vec<Term> = terms.collect();
    for (index, term) in rest.iter().enumerate() {
        let later = rest.iter().skip(index + 1).flat_map(|term| &term.labels).chain(&result);
        let needed: Vec<Label> = later.copied().collect();
        joint = product(&mut c, &joint, term, &needed)?;
    }
    let joint = summed(&mut c, joint, &result)?;
    let value = arranged(&mut c, &joint, &result)?;
    c.give(&[&value])
}

/// Where a name stands twice, the elements at equal places.
fn diagonal(c: &mut Composer, mut term: Term) -> Result<Term, OnnxError> {
    let repeated = |labels: &[Label]| {
        (0..labels.len()).find_map(|second| {
            Some((labels.iter().take(second).position(|label| Some(label) == labels.get(second))?, second))
        })
    };
    while let Some((first, second)) = repeated(&term.labels) {
        let (rows, columns) = (c.positions(&term.value, first)?, c.positions(&term.value, second)?);
        let is_equal = c.make("Equal", &[&rows, &columns])?;
        let zero = c.like(&term.value, 0.0)?;
        let masked = c.make("Where", &[&is_equal, &term.value, &zero])?;
        term.value = c.reduce("ReduceSum", &masked, &[second as i64], false)?;
        term.labels.remove(second);
    }
    Ok(term)
}

/// Sums over the names that are not needed.
fn summed(c: &mut Composer, term: Term, needed: &[Label]) -> Result<Term, OnnxError> {
    let axes: Vec<i64> = term
        .labels
        .iter()
        .enumerate()
        .filter(|(_, label)| !needed.contains(label))
        .map(|(axis, _)| axis as i64)
        .collect();
    if axes.is_empty() {
        return Ok(term);
    }
    let value = c.reduce("ReduceSum", &term.value, &axes, false)?;
    Ok(Term { value, labels: term.labels.into_iter().filter(|label| needed.contains(label)).collect() })
}

/// The value with its dimensions in this order; those that it does not have are of size 1.
fn arranged(c: &mut Composer, term: &Term, order: &[Label]) -> Made {
    let own: Vec<i64> = order
        .iter()
        .filter_map(|label| term.labels.iter().position(|own| own == label))
        .map(|place| place as i64)
        .collect();
    let value = if own.is_sorted() { term.value.clone() } else { c.transpose(&term.value, &own)? };
    let missing: Vec<i64> = order
        .iter()
        .enumerate()
        .filter(|(_, label)| !term.labels.contains(label))
        .map(|(place, _)| place as i64)
        .collect();
    if missing.is_empty() { Ok(value) } else { c.unsqueeze(&value, &missing) }
}

/// The product of two terms, summed over the names that only they have: batches, rows, columns and sums are the dimensions of a matrix
/// product. A dimension of size 1 that an ellipsis stands for broadcasts, so it is none of the summed ones.
fn product(c: &mut Composer, a: &Term, b: &Term, needed: &[Label]) -> Result<Term, OnnxError> {
    let own = |term: &Term, other: &Term| -> Vec<Label> {
        let is_own = |label: &&Label| needed.contains(label) || other.labels.contains(label);
        term.labels.iter().filter(is_own).copied().collect()
    };
    let (kept_a, kept_b) = (own(a, b), own(b, a));
    let a = summed(c, Term { value: a.value.clone(), labels: a.labels.clone() }, &kept_a)?;
    let b = summed(c, Term { value: b.value.clone(), labels: b.labels.clone() }, &kept_b)?;
    let both = |label: &&Label| a.labels.contains(label) && b.labels.contains(label);
    let all: Vec<Label> =
        a.labels.iter().chain(b.labels.iter().filter(|label| !a.labels.contains(label))).copied().collect();
    let batch: Vec<Label> = all.iter().filter(both).filter(|label| needed.contains(label)).copied().collect();
    let sums: Vec<Label> = all.iter().filter(both).filter(|label| !needed.contains(label)).copied().collect();
    let rows: Vec<Label> = a.labels.iter().filter(|label| !b.labels.contains(label)).copied().collect();
    let columns: Vec<Label> = b.labels.iter().filter(|label| !a.labels.contains(label)).copied().collect();
    if sums.is_empty() {
        let order = [batch, rows, columns].concat();
        let (left, right) = (arranged(c, &a, &order)?, arranged(c, &b, &order)?);
        return Ok(Term { value: c.make("Mul", &[&left, &right])?, labels: order });
    }
    let left = arranged(c, &a, &[batch.clone(), rows.clone(), sums.clone()].concat())?;
    let right = arranged(c, &b, &[batch.clone(), sums.clone(), columns.clone()].concat())?;
    let left_shape = c.shape(&left)?;
    let right_shape = c.shape(&right)?;
    let (row_sizes, column_sizes) = (
        left_shape.iter().skip(batch.len()).take(rows.len()).copied().collect::<Vec<i64>>(),
        right_shape.iter().skip(batch.len() + sums.len()).copied().collect::<Vec<i64>>(),
    );
    let count = |sizes: &[i64]| sizes.iter().product::<i64>();
    let depth: i64 = count(left_shape.get(batch.len() + rows.len()..).unwrap_or_default());
    let of_batch = |shape: &[i64]| shape.iter().take(batch.len()).copied().collect::<Vec<i64>>();
    let left = c.reshape(&left, &[of_batch(&left_shape), vec![count(&row_sizes), depth]].concat())?;
    let right = c.reshape(&right, &[of_batch(&right_shape), vec![depth, count(&column_sizes)]].concat())?;
    let matrices = c.make("MatMul", &[&left, &right])?;
    let joint = c.shape(&matrices)?;
    let value = c.reshape(&matrices, &[of_batch(&joint), row_sizes, column_sizes].concat())?;
    Ok(Term { value, labels: [batch, rows, columns].concat() })
}
