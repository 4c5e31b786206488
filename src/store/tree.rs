//! The Merkle tree of RFC 6962: roots, proofs that a leaf is in a tree, proofs that one tree is the beginning of another.
//!
//! Knows hashes alone. Every proof that comes from a file is checked here without trust in its length.

use sha2::{Digest as _, Sha256};

/// SHA-256.
pub type Hash = [u8; 32];

/// The hash of a leaf (RFC 6962, section 2.1).
pub fn leaf(content: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(content).finalize().into()
}

/// The hash of two subtrees.
fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root over these leaves; of no leaves, the hash of nothing.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The largest power of two below a number of leaves.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// The hashes that lead from this leaf to the root, lowest first (RFC 6962, section 2.1.1).
pub fn inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 || index >= leaves.len() {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, other) =
        if index < at { (inclusion(left, index), root(right)) } else { (inclusion(right, index - at), root(left)) };
    path.push(other);
    path
}

/// Whether the path leads from this leaf at this place to the root of a tree of this size.
pub fn includes(root: &Hash, size: u64, index: u64, leaf: &Hash, path: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    // RFC 9162, section 2.1.3.2.
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for other in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(other, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, other);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The hashes that show that the tree of the first `old` leaves is the beginning of this one (RFC 6962, section 2.1.2).
pub fn consistency(leaves: &[Hash], old: usize) -> Vec<Hash> {
    if old == 0 || old >= leaves.len() {
        return Vec::new();
    }
    beginning(leaves, old, true)
}

fn beginning(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    if old <= at {
        let mut proof = beginning(left, old, whole);
        proof.push(root(right));
        proof
    } else {
        let mut proof = beginning(right, old - at, false);
        proof.push(root(left));
        proof
    }
}

/// Whether the proof shows that a tree is the beginning of another.
pub fn extends(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size {
        return false;
    }
    if old_size == new_size || old_size == 0 {
        return proof.is_empty() && (old_size == 0 || old_root == new_root);
    }
    // RFC 9162, section 2.1.4.2.
    let mut hashes = proof.iter();
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let start = if old_size.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let Some(start) = start else { return false };
    let (mut older, mut newer) = (*start, *start);
    for other in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            older = node(other, &older);
            newer = node(other, &newer);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            newer = node(&newer, other);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && older == *old_root && newer == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest;
    use proptest::prelude::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|n| leaf(format!("run {n}").as_bytes())).collect()
    }

    #[test]
    fn roots_are_those_of_the_standard() {
        // The test vectors of the certificate transparency project's own tree: the empty tree, and one empty leaf.
        assert_eq!(digest::hex(&root(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            digest::hex(&root(&[leaf(b"")])),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let two = [leaf(b""), leaf(&[0])];
        assert_eq!(digest::hex(&root(&two)), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    proptest! {
        #[test]
        fn every_leaf_is_shown_to_be_in_its_tree_and_nowhere_else(count in 1usize..70, at in 0usize..70, other in 0usize..70) {
            let all = leaves(count);
            let (at, other) = (at % count, other % count);
            let (root, path) = (root(&all), inclusion(&all, at));
            prop_assert!(includes(&root, count as u64, at as u64, &all[at], &path));
            prop_assert_eq!(includes(&root, count as u64, other as u64, &all[at], &path), at == other);
            prop_assert!(!includes(&root, count as u64, at as u64, &leaf(b"another"), &path));
            let mut longer = path.clone();
            longer.push(root);
            prop_assert!(!includes(&root, count as u64, at as u64, &all[at], &longer));
        }

        #[test]
        fn a_tree_that_grew_is_told_from_one_that_was_rewritten(count in 1usize..70, old in 0usize..70) {
            let all = leaves(count);
            let old = old % (count + 1);
            let (before, after) = (root(&all[..old]), root(&all));
            let proof = consistency(&all, old);
            prop_assert!(extends((old as u64, &before), (count as u64, &after), &proof));
            let mut changed = all.clone();
            changed[0] = leaf(b"another");
            let forged = root(&changed);
            if old > 0 {
                let proof = consistency(&changed, old);
                prop_assert!(!extends((old as u64, &before), (count as u64, &forged), &proof));
                prop_assert!(!extends((count as u64 + 1, &before), (count as u64, &after), &proof));
            }
        }
    }
}
