//! The hole in local memory that is free for the longest time before it is needed.

/// What lies somewhere: first byte, end, and from when on it is gone; none where it is in the way.
pub struct Obstacle {
    pub start: u64,
    pub end: u64,
    pub gone: Option<usize>,
}

/// Obstacles in the order of their first bytes, with those that are always in the way and touch each other as one: thousands of small values
/// side by side are one obstacle.
pub fn joined(sorted: impl Iterator<Item = Obstacle>) -> Vec<Obstacle> {
    let mut all: Vec<Obstacle> = Vec::new();
    let mut last: Option<usize> = None;
    for obstacle in sorted {
        match last.and_then(|last| all.get_mut(last)) {
            Some(last) if obstacle.gone.is_none() && obstacle.start <= last.end => {
                last.end = last.end.max(obstacle.end)
            }
            _ => {
                if obstacle.gone.is_none() {
                    last = Some(all.len());
                }
                all.push(obstacle);
            }
        }
    }
    all
}

/// At which end of local memory something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Low,
    High,
}

/// Among all places for `bytes` in `0..space` the one that is free first, of those the outermost on a side: (when, address). Nothing before
/// `earliest` counts.
pub fn earliest_hole(
    obstacles: &[Obstacle],
    (bytes, alignment): (u64, u64),
    (space, side): (u64, Side),
    earliest: usize,
) -> Option<(usize, u64)> {
    let mut borders: Vec<u64> = obstacles.iter().flat_map(|obstacle| [obstacle.start, obstacle.end]).collect();
    borders.extend([0, space]);
    borders.retain(|&border| border <= space);
    borders.sort_unstable();
    borders.dedup();
    let times = free_from(obstacles, &borders, earliest);
    let mut best: Option<(usize, u64)> = None;
    for &border in &borders {
        // Right behind an obstacle, or right in front of one.
        let behind = border.checked_next_multiple_of(alignment);
        let before = border.checked_sub(bytes).map(|start| start - start % alignment.max(1));
        for start in [behind, before].into_iter().flatten() {
            let Some(end) = start.checked_add(bytes).filter(|&end| end <= space) else { continue };
            let limit = best.map_or(usize::MAX, |(when, _)| when);
            let outer = |other: u64| if side == Side::Low { start < other } else { start > other };
            if let Some(when) = latest(&borders, &times, (start, end), limit).map(|when| when.max(earliest))
                && best.is_none_or(|best| when < best.0 || when == best.0 && outer(best.1))
            {
                best = Some((when, start));
            }
        }
    }
    best
}

/// Per piece between two borders, when it is free; none where it is not.
fn free_from(obstacles: &[Obstacle], borders: &[u64], earliest: usize) -> Vec<Option<usize>> {
    let mut times = vec![Some(earliest); borders.len().saturating_sub(1)];
    for obstacle in obstacles {
        let from = borders.partition_point(|&border| border < obstacle.start);
        let to = borders.partition_point(|&border| border < obstacle.end);
        for time in times.get_mut(from..to.min(borders.len() - 1)).unwrap_or_default() {
            *time = time.zip(obstacle.gone).map(|(time, gone)| time.max(gone));
        }
    }
    times
}

/// When all of a range is free; none where it never is or where that is after `limit`.
fn latest(borders: &[u64], times: &[Option<usize>], (start, end): (u64, u64), limit: usize) -> Option<usize> {
    let from = borders.partition_point(|&border| border <= start).saturating_sub(1);
    let mut when = 0;
    for (index, time) in times.iter().enumerate().skip(from) {
        if borders.get(index).is_none_or(|&border| border >= end) {
            break;
        }
        when = when.max((*time)?);
        if when > limit {
            return None;
        }
    }
    Some(when)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn obstacle(start: u64, end: u64, gone: Option<usize>) -> Obstacle {
        Obstacle { start, end, gone }
    }

    #[test]
    fn the_hole_that_is_free_first_is_taken() {
        let obstacles = [obstacle(0, 64, Some(7)), obstacle(64, 128, None), obstacle(128, 192, Some(3))];
        assert_eq!(earliest_hole(&obstacles, (64, 64), (192, Side::Low), 0), Some((3, 128)));
        assert_eq!(earliest_hole(&obstacles, (64, 64), (256, Side::Low), 1), Some((1, 192)));
        assert_eq!(earliest_hole(&obstacles, (128, 64), (256, Side::Low), 0), Some((3, 128)));
        assert_eq!(earliest_hole(&[], (64, 64), (256, Side::High), 0), Some((0, 192)));
        assert_eq!(earliest_hole(&obstacles, (256, 64), (320, Side::Low), 0), None);
        assert_eq!(earliest_hole(&[], (0, 64), (0, Side::Low), 5), Some((5, 0)));
    }

    #[test]
    fn what_is_always_in_the_way_is_joined() {
        let all = [(0, 64, None), (32, 96, Some(4)), (64, 128, None), (100, 110, None), (192, 256, None)];
        let found = joined(all.into_iter().map(|(start, end, gone)| obstacle(start, end, gone)));
        let found: Vec<_> = found.iter().map(|obstacle| (obstacle.start, obstacle.end, obstacle.gone)).collect();
        assert_eq!(found, [(0, 128, None), (32, 96, Some(4)), (192, 256, None)]);
    }
}
