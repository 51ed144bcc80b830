//! Names of entries in whole words.

use super::chunk::last_word;

/// Spells a key of one of many spaces as a name of its own: a word with the space and the key's length, then the key, filled up with
/// zeros to whole words. Names are compared and hashed word by word, straight behind their spelling: a processor waits
/// where it has to put together a word that was just written in parts.
#[inline(always)]
pub fn spell(name: &mut Vec<u8>, space: u32, key: &[u8]) {
    let length = key.len() as u32;
    name.clear();
    name.extend_from_slice(&(u64::from(space) << 32 | u64::from(length)).to_ne_bytes());
    let (words, rest) = key.as_chunks::<8>();
    words.iter().for_each(|word| name.extend_from_slice(word));
    if !rest.is_empty() {
        name.extend_from_slice(&last_word(key).to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_key_of_each_space_has_its_own_name() {
        let keys = (0..40).flat_map(|len| [vec![0; len], vec![b'a'; len], vec![0xff; len]]);
        let keys: HashSet<Vec<u8>> = keys.collect();
        let mut name = Vec::new();
        let names: HashSet<Vec<u8>> = (0..3)
            .flat_map(|space| keys.iter().map(move |key| (space, key)))
            .map(|(space, key)| {
                spell(&mut name, space, key);
                assert!(name.len() % 8 == 0 && name[8..].starts_with(key), "{name:?}");
                name.clone()
            })
            .collect();
        assert_eq!(names.len(), 3 * keys.len());
    }
}
