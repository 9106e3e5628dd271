//! What a name may have been meant for.

/// More would be no hint.
const MOST: usize = 3;

/// Those of `names` that are nearly `found`: without signs and vendors, within it or around it, or a typing error away.
pub(super) fn near(found: &str, names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let found = bare(found);
    // A setting may hold anything; no name is that long.
    if found.is_empty() || found.len() > 60 {
        return Vec::new();
    }
    let mut near: Vec<(usize, &'static str)> = names
        .filter_map(|name| {
            let bare = bare(name);
            let is_part = found.len() >= 4 && (bare.contains(&found) || found.contains(&bare));
            let distance = distance(&found, &bare);
            (is_part || distance <= 2).then_some((distance, name))
        })
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    let closest = near.iter().map(|(distance, _)| *distance).min();
    // What is a typing error away leaves what only holds it out.
    if closest.is_some_and(|closest| closest <= 2) {
        near.retain(|(distance, _)| *distance <= 2);
    }
    near.truncate(MOST);
    near.into_iter().map(|(_, name)| name).collect()
}

/// Letters and digits alone, of what stands before the vendor.
fn bare(name: &str) -> String {
    let (name, _) = name.split_once('@').unwrap_or((name, ""));
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// How many letters have to be put in, taken out or changed.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, b) in other.bytes().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
