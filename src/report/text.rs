//! Text of strangers, made harmless for a terminal, and values in the words of a reader.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest text shown for one value; the record keeps the whole.
const MAX_VALUE: usize = 300;
/// The most members shown of one list.
const MAX_MEMBERS: usize = 12;

/// The text on one line, without anything that moves a cursor, hides or reorders what is read: such characters are
/// written as `\n`, `\u{1b}`.
///
/// Meant are control characters (C0, C1), line and paragraph separators, bidirectional marks, characters of no width,
/// tags, and noncharacters, which XML may not hold.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The same JSON text with every such character as `\uXXXX`: the value is the same, and a terminal is safe.
pub fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// At most this many characters of a text, saying so where it is cut.
pub fn clip(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => Cow::Borrowed(text),
        Some((end, _)) => {
            let whole = text.chars().count();
            Cow::Owned(format!("{}… ({whole} characters in all)", text.get(..end).unwrap_or_default()))
        }
    }
}

/// A stranger's text for a terminal: bounded and harmless.
pub fn shown(text: &str) -> String {
    escape(&clip(text, MAX_VALUE)).into_owned()
}

/// A value of a result as a reader would write it; empty for null. Bounded, not escaped.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clip(text, MAX_VALUE).into_owned(),
        Value::Array(members) => {
            let mut words: Vec<String> = members.iter().take(MAX_MEMBERS).map(self::value).collect();
            if members.len() > MAX_MEMBERS {
                words.push(format!("… {} in all", members.len()));
            }
            clip(&words.join(", "), MAX_VALUE).into_owned()
        }
        other => clip(&other.to_string(), MAX_VALUE).into_owned(),
    }
}

/// `1 finding`, `2 findings`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Letters cut into lines of at most this many columns, at spaces where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut columns = 0;
    for word in text.split(' ') {
        let mut letters: Vec<char> = word.chars().collect();
        if columns > 0 && columns + 1 + letters.len() > width {
            lines.push(std::mem::take(&mut line));
            columns = 0;
        } else if columns > 0 {
            line.push(' ');
            columns += 1;
        }
        while letters.len() > width {
            lines.push(letters.drain(..width.max(1)).collect());
        }
        columns += letters.len();
        line.extend(letters);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xFFF9..=0xFFFB
            | 0xFE00..=0xFE0F | 0xE0000..=0xE01EF | 0xFFFE | 0xFFFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_that_moves_hides_or_reorders_is_left() {
        let hostile = "a\u{1b}[31mb\u{9b}2Jc\u{202e}d\u{200b}e\u{2066}f\u{feff}g\r\nh\u{7f}i\u{e0041}";
        let harmless = escape(hostile);
        assert!(!harmless.chars().any(is_unsafe), "{harmless}");
        assert_eq!(
            harmless,
            "a\\u{1b}[31mb\\u{9b}2Jc\\u{202e}d\\u{200b}e\\u{2066}f\\u{feff}g\\r\\nh\\u{7f}i\\u{e0041}"
        );
        assert!(matches!(escape("plain é 漢字 …"), Cow::Borrowed(_)));
    }

    #[test]
    fn long_texts_are_cut_at_a_character_and_say_so() {
        assert_eq!(clip("ééééé", 3), "ééé… (5 characters in all)");
        assert_eq!(clip("abc", 3), "abc");
        assert!(shown(&"x".repeat(1 << 20)).len() < 400);
        assert!(value(&json!(vec!["y".repeat(5000); 5000])).len() < 400);
    }

    #[test]
    fn lists_read_as_words() {
        assert_eq!(value(&json!(["TLSv1.0", "TLSv1.1"])), "TLSv1.0, TLSv1.1");
        assert_eq!(value(&json!(null)), "");
        assert_eq!(value(&json!({"a": 1})), r#"{"a":1}"#);
    }

    #[test]
    fn lines_are_cut_at_spaces_and_long_words_inside() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
