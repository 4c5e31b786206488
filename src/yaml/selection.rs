//! Reading a part of a document in place, so that its errors keep their line.

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
};
use serde_json::{Map, Value};
use std::fmt;
use std::marker::PhantomData;

/// Which part of a document is read. The default is the whole.
#[derive(Clone, Debug, Default)]
pub struct Selection<'a> {
    /// The keys that lead to the part.
    pub path: &'a [&'a str],
    /// Only these keys of the mapping found there, where given; others are passed over.
    pub keys: Option<&'a [&'a str]>,
    /// What the mapping is taken to hold where it does not say it.
    pub defaults: Map<String, Value>,
}

/// Walks the path and reads the type at its end.
pub(super) struct Walk<'a, T> {
    selection: Selection<'a>,
    kind: PhantomData<T>,
}

impl<'a, T> Walk<'a, T> {
    pub(super) fn new(selection: Selection<'a>) -> Walk<'a, T> {
        Walk { selection, kind: PhantomData }
    }
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Walk<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let Selection { path, keys, defaults } = &self.selection;
        if path.is_empty() && keys.is_none() && defaults.is_empty() {
            T::deserialize(deserializer)
        } else {
            deserializer.deserialize_map(self)
        }
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Walk<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let Some((first, rest)) = self.selection.path.split_first() else {
            return T::deserialize(MapAccessDeserializer::new(Chosen::new(map, self.selection)));
        };
        let mut walk = Some(Walk::new(Selection { path: rest, ..self.selection }));
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            match walk.take_if(|_| key == *first) {
                Some(walk) => found = Some(map.next_value_seed(walk)?),
                None => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        found.ok_or_else(|| A::Error::custom(format!("missing key `{first}`")))
    }
}

/// A mapping of which only some keys show, and which may show more than is written.
struct Chosen<'a, A> {
    written: A,
    keys: Option<&'a [&'a str]>,
    defaults: serde_json::map::IntoIter,
    seen: Vec<String>,
    value: Option<Value>,
}

impl<'a, A> Chosen<'a, A> {
    fn new(written: A, selection: Selection<'a>) -> Chosen<'a, A> {
        Chosen {
            written,
            keys: selection.keys,
            defaults: selection.defaults.into_iter(),
            seen: Vec::new(),
            value: None,
        }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Chosen<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.written.next_key::<String>()? {
            if self.keys.is_none_or(|keys| keys.contains(&key.as_str())) {
                self.seen.push(key.clone());
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
            self.written.next_value::<IgnoredAny>()?;
        }
        for (key, value) in self.defaults.by_ref() {
            if !self.seen.contains(&key) {
                self.value = Some(value);
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(value).map_err(A::Error::custom),
            None => self.written.next_value_seed(seed),
        }
    }
}
