//! Texts in Markdown, as what the page makes elements of.
//!
//! The page makes no markup of what it gets: it creates an element for each of these nodes, and sets texts as
//! texts. HTML in a text is shown as it stands, images are their descriptions, and links lead to `http` and `https`
//! alone.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde::Serialize;

/// Longer texts are cut.
const LONGEST: usize = 1 << 20;

/// Elements within elements; what is deeper is shown at this depth.
const DEEPEST: usize = 32;

/// A text, or an element.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Node {
    Text(String),
    Element(Element),
}

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Element {
    /// One of HTML's that only say how a text is laid out.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<String>,
    /// The number of an ordered list's first item.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<u64>,
    children: Vec<Node>,
}

impl Element {
    fn new(kind: &'static str) -> Element {
        Element { kind, href: None, start: None, children: Vec::new() }
    }
}

/// What a text in Markdown is made of.
pub(super) fn nodes(text: &str) -> Vec<Node> {
    let shown = &text[..text.floor_char_boundary(LONGEST)];
    let mut tree = Tree { open: vec![Element::new("div")], too_deep: 0, is_head: false };
    for event in Parser::new_ext(shown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        tree.take(event);
    }
    while tree.open.len() > 1 {
        tree.close();
    }
    let mut nodes = tree.open.pop().map_or_else(Vec::new, |root| root.children);
    if shown.len() < text.len() {
        nodes.push(Node::Text(format!("... and {} more bytes", text.len() - shown.len())));
    }
    nodes
}

struct Tree {
    /// Elements that are not ended, each within the one before.
    open: Vec<Element>,
    /// How many more are not ended that are not made.
    too_deep: usize,
    /// Whether cells are those of a table's head.
    is_head: bool,
}

impl Tree {
    fn take(&mut self, event: Event) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                let children = vec![Node::Text(text.into_string())];
                self.push(Node::Element(Element { children, ..Element::new("code") }));
            }
            Event::FootnoteReference(name) => self.text(&name),
            Event::SoftBreak => self.text("\n"),
            Event::HardBreak => self.push(Node::Element(Element::new("br"))),
            Event::Rule => self.push(Node::Element(Element::new("hr"))),
            Event::TaskListMarker(is_done) => self.text(if is_done { "[x] " } else { "[ ] " }),
        }
    }

    fn start(&mut self, tag: Tag) {
        if let Tag::TableHead = tag {
            self.is_head = true;
            self.open(Element::new("thead"));
            return self.open(Element::new("tr"));
        }
        let kind = match &tag {
            Tag::Paragraph | Tag::HtmlBlock => "p",
            // Below the headings of the page itself.
            Tag::Heading { level: HeadingLevel::H1, .. } => "h4",
            Tag::Heading { level: HeadingLevel::H2, .. } => "h5",
            Tag::Heading { .. } => "h6",
            Tag::BlockQuote(_) => "blockquote",
            Tag::CodeBlock(_) => "pre",
            Tag::List(None) => "ul",
            Tag::List(Some(_)) => "ol",
            Tag::Item => "li",
            Tag::Table(_) => "table",
            Tag::TableRow => "tr",
            Tag::TableCell if self.is_head => "th",
            Tag::TableCell => "td",
            Tag::Emphasis => "em",
            Tag::Strong => "strong",
            Tag::Strikethrough => "del",
            Tag::Link { dest_url, .. } if leads_to_the_web(dest_url) => "a",
            _ => "span",
        };
        let mut element = Element::new(kind);
        match tag {
            Tag::Link { dest_url, .. } if kind == "a" => element.href = Some(dest_url.into_string()),
            Tag::List(start) => element.start = start.filter(|start| *start != 1),
            _ => {}
        }
        self.open(element);
    }

    fn end(&mut self, end: TagEnd) {
        if end == TagEnd::TableHead {
            self.is_head = false;
            self.close();
        }
        self.close();
    }

    fn open(&mut self, element: Element) {
        if self.open.len() > DEEPEST {
            self.too_deep += 1;
        } else {
            self.open.push(element);
        }
    }

    fn close(&mut self) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
        } else if self.open.len() > 1
            && let Some(element) = self.open.pop()
        {
            self.push(Node::Element(element));
        }
    }

    fn push(&mut self, node: Node) {
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(node);
        }
    }

    fn text(&mut self, new: &str) {
        match self.open.last_mut().and_then(|parent| parent.children.last_mut()) {
            Some(Node::Text(text)) => text.push_str(new),
            _ => self.push(Node::Text(new.to_owned())),
        }
    }
}

/// Whether an address is absolute, and of the web. Browsers leave out blanks and control characters when they read one.
fn leads_to_the_web(address: &str) -> bool {
    let is_plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
    let begins = |scheme: &str| address.get(..scheme.len()).is_some_and(|own| own.eq_ignore_ascii_case(scheme));
    is_plain && (begins("http://") || begins("https://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        serde_json::to_string(&nodes(text)).unwrap()
    }

    /// All elements, and all text.
    fn flat(nodes: &[Node], kinds: &mut Vec<&'static str>, text: &mut String) {
        for node in nodes {
            match node {
                Node::Text(own) => text.push_str(own),
                Node::Element(element) => {
                    kinds.push(element.kind);
                    flat(&element.children, kinds, text);
                }
            }
        }
    }

    fn shown(text: &str) -> (Vec<&'static str>, String) {
        let (mut kinds, mut all) = (Vec::new(), String::new());
        flat(&nodes(text), &mut kinds, &mut all);
        (kinds, all)
    }

    #[test]
    fn markdown_is_laid_out() {
        let (kinds, text) = shown("# A *b*\n\n3. c `d`\n4. **e** ~~f~~\n\n> g\n\n    h <i>\n\n---\n");
        assert_eq!(kinds, ["h4", "em", "ol", "li", "code", "li", "strong", "del", "blockquote", "p", "pre", "hr"]);
        assert_eq!(text, "A bc de fgh <i>\n");
        assert!(json("3. c").contains(r#""kind":"ol","start":3"#));
        let (kinds, text) = shown("| a | b |\n| --- | --: |\n| 1 | 2\\|3 |\n");
        assert_eq!(kinds, ["table", "thead", "tr", "th", "th", "tr", "td", "td"]);
        assert_eq!(text, "ab12|3");
        assert_eq!(shown("caf\u{e9} \u{1F40B}\u{200D}\u{2764}").1, "caf\u{e9} \u{1F40B}\u{200D}\u{2764}");
    }

    #[test]
    fn markup_is_shown_and_not_made() {
        for markup in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a <b onclick=\"x()\">b</b>",
            "<!-- c -->",
            "<style>\n*{}\n\n</style>",
            "<a href=\"javascript:x()\">d</a>",
        ] {
            let (kinds, text) = shown(markup);
            assert!(kinds.iter().all(|kind| *kind == "p"), "{markup}: {kinds:?}");
            assert_eq!(text.replace('\n', ""), markup.replace('\n', ""));
        }
    }

    #[test]
    fn links_lead_to_the_web_alone_and_images_are_words() {
        assert!(json("[a](https://a.example/?b=c)").contains(r#""kind":"a","href":"https://a.example/?b=c""#));
        assert!(json("<HTTP://a.example>").contains(r#""href":"HTTP://a.example""#));
        for address in [
            "javascript:alert(1)",
            "JaVaScRiPt:x",
            "data:text/html,x",
            "//a.example",
            "/events",
            "a",
            "file:///etc/passwd",
        ] {
            let text = json(&format!("[a]({address}) <{address}>"));
            assert!(!text.contains("href"), "{text}");
        }
        for address in ["java\u{a}script:x", "http\u{9}s://x", " https://x\u{1}"] {
            assert!(!leads_to_the_web(address), "{address:?}");
        }
        let (kinds, text) = shown("![a *b*](https://a.example/x.png)");
        assert_eq!((kinds, &text[..]), (vec!["p", "span", "em"], "a b"));
    }

    #[test]
    fn deep_and_long_texts_are_bounded() {
        let (kinds, text) = shown(&format!("{} deep", ">".repeat(5000)));
        assert!(kinds.len() <= DEEPEST && text.contains("deep"));
        let (_, text) = shown(&"\u{1F40B}".repeat(LONGEST / 4 + 3));
        assert!(text.ends_with("\u{1F40B}... and 12 more bytes"), "{}", &text[text.len() - 40..]);
    }
}
