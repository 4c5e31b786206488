//! Closed vocabularies.

/// Declares an enum of words with the function `word` and the list `ALL`.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$help:meta])* $variant:ident = $word:literal,)+ })+) => { $(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $($(#[$help])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order of the specification.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The word used in registers and in every output.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }
    )+ };
}
pub(super) use words;
