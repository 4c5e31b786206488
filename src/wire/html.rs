//! The tags of a page, told apart as a browser does, and nothing else of it.
//!
//! Enough of HTML's tokenizer to find what a page loads: comments, raw text and attributes without quotes included.

/// The most tags of a page that are read.
pub const TAGS: usize = 20_000;
/// The most attributes of a tag that are kept.
const ATTRIBUTES: usize = 50;
/// The most characters of a name or value that are kept.
const VALUE: usize = 16 * 1024;

/// Elements whose content is text up to their end tag, whatever stands in it.
const RAW: [&str; 8] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

/// A start tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// Its name in lower case.
    pub name: String,
    /// Its attributes, names in lower case; of two of one name the first counts, as in a browser.
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(seen, _)| seen == name).map(|(_, value)| value.as_str())
    }
}

/// The start tags of a page in their order, and whether there were more than are read.
pub fn read(text: &str) -> (Vec<Tag>, bool) {
    let mut tags = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            // `<!-->` and `<!--->` are whole comments.
            let short = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->"));
            rest = short.unwrap_or_else(|| comment.split_once("-->").map_or("", |(_, rest)| rest));
            continue;
        }
        if !after.starts_with(|c: char| c.is_ascii_alphabetic()) {
            // An end tag, a declaration, or a mere sign.
            rest = after;
            continue;
        }
        if tags.len() >= TAGS {
            return (tags, true);
        }
        let (tag, after) = tag(after);
        rest = if RAW.contains(&tag.name.as_str()) { past_end(after, &tag.name) } else { after };
        tags.push(tag);
    }
    (tags, false)
}

/// The tag that starts here, behind its `<`, and what follows it.
fn tag(text: &str) -> (Tag, &str) {
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(text.len());
    let (name, mut rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let mut tag = Tag { name: kept(name).to_ascii_lowercase(), attributes: Vec::new() };
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return (tag, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (tag, after);
        }
        let (name, value, after) = attribute(rest);
        // A name is at least one character, so that every turn gets further.
        rest = after;
        let name = kept(name).to_ascii_lowercase();
        if tag.attributes.len() < ATTRIBUTES && !tag.attributes.iter().any(|(seen, _)| *seen == name) {
            tag.attributes.push((name, entities(kept(value))));
        }
    }
}

/// The attribute that starts here, and what follows it.
fn attribute(text: &str) -> (&str, &str, &str) {
    let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
    // An equals sign at the start belongs to the name.
    let first = text.chars().next().map_or(0, char::len_utf8);
    let end = text.get(first..).and_then(|rest| rest.find(ends)).map_or(text.len(), |at| at + first);
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let Some(value) = rest.trim_ascii_start().strip_prefix('=') else { return (name, "", rest) };
    let value = value.trim_ascii_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            let (value, rest) = quoted.split_once(quote).unwrap_or((quoted, ""));
            return (name, value, rest);
        }
    }
    let end = value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len());
    let (value, rest) = value.split_at_checked(end).unwrap_or((value, ""));
    (name, value, rest)
}

fn kept(text: &str) -> &str {
    let end = text.char_indices().nth(VALUE).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

/// The references that stand in addresses.
fn entities(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let plain = [("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&#58;", ":"), ("&#47;", "/"), ("&colon;", ":")];
    let text = plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("&sol;", "/").replace("&amp;", "&")
}

/// What follows the end tag of an element with raw text. Without one, everything is its text.
fn past_end<'t>(text: &'t str, name: &str) -> &'t str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("</") {
        let matches = after.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let then = after.get(name.len()..).and_then(|rest| rest.chars().next());
        if matches && then.is_none_or(|c| c.is_ascii_whitespace() || c == '/' || c == '>') {
            return after;
        }
        rest = after;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Vec<Tag> {
        read(text).0
    }

    fn sources(text: &str) -> Vec<String> {
        tags(text).iter().filter_map(|tag| tag.attribute("src")).map(str::to_owned).collect()
    }

    #[test]
    fn attributes_are_read_in_every_form() {
        let tag = &tags("<SCRIPT  SRC = \"/a.js\" async integrity='sha384-x' data-a=b/c crossorigin>")[0];
        assert_eq!(tag.name, "script");
        assert_eq!(tag.attribute("src"), Some("/a.js"));
        assert_eq!(tag.attribute("async"), Some(""));
        assert_eq!(tag.attribute("integrity"), Some("sha384-x"));
        assert_eq!(tag.attribute("data-a"), Some("b/c"));
        assert_eq!(tag.attribute("absent"), None);
        assert_eq!(tags("<img src=a src=b>")[0].attribute("src"), Some("a"), "the first counts");
        assert_eq!(sources("<img src='http://a.example/?a=1&amp;b=2'>"), ["http://a.example/?a=1&b=2"]);
        assert_eq!(sources("<img/src=x>"), ["x"]);
    }

    #[test]
    fn comments_and_raw_text_hold_no_tags() {
        assert!(sources("<!-- <script src=/a.js></script> -->").is_empty());
        assert_eq!(sources("<!--><img src=x>"), ["x"], "the shortest comment has ended");
        assert_eq!(sources("<script>var a = '<img src=x>';</script><img src=y>"), ["y"]);
        assert_eq!(sources("<title><img src=x></title><img src=y>"), ["y"]);
        assert_eq!(sources("<script>'</scripty><img src=x>'</SCRIPT ><img src=y>"), ["y"]);
        assert!(sources("<script>no end <img src=x>").is_empty());
    }

    #[test]
    fn nonsense_is_read_to_its_end() {
        for text in
            ["<", "<a", "<a b", "<a b=", "<a b='", "<a ===>", "<>", "</", "< a", "<a\u{e9}\u{e9}=\u{e9}>", "<a/"]
        {
            let _ = tags(text);
        }
        let (many, cut) = read(&"<b>".repeat(TAGS + 1));
        assert!(cut && many.len() == TAGS);
    }
}
