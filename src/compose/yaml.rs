//! YAML to a tree, with the place of every value. What readers of YAML disagree on is refused, not guessed: a file must
//! mean the same to vsa and to the Compose tool that runs it.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::node::{Entry, Layer, Map, Node, Text, Value};
use crate::diag::{Diagnostic, FileId, Span};

/// The largest file, in bytes.
const LARGEST: usize = 1 << 20;
/// The most values of one file, those behind aliases counted wherever they are used.
const MOST: usize = 100_000;
/// The deepest nesting.
const DEEPEST: usize = 32;

/// Reads one file.
pub(super) fn parse(text: &str, file: FileId) -> Result<Node, Diagnostic> {
    if text.len() > LARGEST {
        let detail = format!("it has {} bytes; a compose file may have {LARGEST}", text.len());
        return Err(refused("the compose file is too large", Span::new(file, 0..0)).detail(detail));
    }
    plain(text, file)?;
    let offsets = if text.is_ascii() {
        Vec::new()
    } else {
        text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
    };
    let events = Parser::new_from_str(text);
    let mut reader = Reader { text, file, offsets, events, anchors: HashMap::new(), spent: 0 };
    reader.document()
}

/// Refuses characters that end a line, or the file, for some readers of YAML and not for others: YAML 1.1 breaks lines at
/// U+0085, U+2028 and U+2029 (section 5.4), YAML 1.2 does not, and no file may hold most control characters (section 5.1).
fn plain(text: &str, file: FileId) -> Result<(), Diagnostic> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let odd = |(at, char): &(usize, char)| match char {
        '\n' | '\t' => false,
        '\r' => !text[start + at + 1..].starts_with('\n'),
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        char => char.is_control(),
    };
    let Some((at, char)) = text[start..].char_indices().find(odd) else { return Ok(()) };
    let (name, help) = match char {
        '\r' => ("a carriage return without a line feed", "end lines with a line feed alone".to_owned()),
        _ => (
            "a character that no compose file may hold",
            format!("remove U+{0:04X}, or write it as `\\u{0:04X}` in double quotes", u32::from(char)),
        ),
    };
    let at = start + at;
    Err(refused(format!("there is {name}"), Span::new(file, at..at + char.len_utf8()))
        .detail("readers of YAML disagree on where the line ends")
        .help(help))
}

fn refused(summary: impl Into<String>, at: Span) -> Diagnostic {
    Diagnostic::error(summary).code("compose_yaml").at(at)
}

/// What an alias of an anchor would add.
struct Anchored {
    node: Node,
    weight: usize,
    depth: usize,
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
    /// The byte at which each character begins; empty where all text is ASCII.
    offsets: Vec<usize>,
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Anchored>,
    spent: usize,
}

/// A node and how deep it is.
type Read = Result<(Node, usize), Diagnostic>;

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(refused("a compose file is one YAML document, and this one has more", span)
                        .help("put each into a file of its own"));
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => {
                    return root.ok_or_else(|| refused("the compose file is empty", span));
                }
                event => root = Some(self.node(event, span, 0)?.0),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Diagnostic> {
        match self.events.next_event() {
            Some(Ok((event, span))) => {
                let span = self.span(span.start.index(), span.end.index());
                Ok((event, span))
            }
            Some(Err(error)) => Err(self.unreadable(&error)),
            None => Err(refused("the compose file ends in the middle of a value", self.span(0, 0))),
        }
    }

    fn unreadable(&self, error: &ScanError) -> Diagnostic {
        let at = self.span(error.marker().index(), error.marker().index());
        Diagnostic::error("this is not YAML").code("compose_yaml").label(at, error.info())
    }

    fn byte(&self, index: usize) -> usize {
        let at = if self.offsets.is_empty() {
            index
        } else {
            *self.offsets.get(index).unwrap_or(&self.text.len())
        };
        at.min(self.text.len())
    }

    /// A span of bytes, without the white space that a block ends in.
    fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = (self.byte(start), self.byte(end));
        let text = self.text.get(start..end).unwrap_or("");
        Span::new(self.file, start..start + text.trim_end().len())
    }

    fn spend(&mut self, nodes: usize, at: Span) -> Result<(), Diagnostic> {
        self.spent += nodes;
        if self.spent > MOST {
            return Err(refused("the compose file has too many values", at)
                .detail(format!("with its aliases written out it has more than {MOST}")));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span, level: usize) -> Read {
        self.spend(1, span)?;
        let deep = |depth: usize| {
            if level + depth > DEEPEST {
                return Err(refused("values are nested too deeply", span)
                    .detail(format!("the deepest level is {DEEPEST}")));
            }
            Ok(())
        };
        deep(1)?;
        let before = self.spent;
        let (anchor, read) = match event {
            Event::Alias(anchor) => {
                let Some(anchored) = self.anchors.get(&anchor) else {
                    return Err(refused("an alias stands inside of its own anchor", span));
                };
                deep(anchored.depth)?;
                let (weight, depth) = (anchored.weight, anchored.depth);
                self.spend(weight, span)?;
                let node = self.anchors.get(&anchor).map(|anchored| anchored.node.clone());
                return node.map(|node| (node, depth)).ok_or_else(|| refused("an unknown alias", span));
            }
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, (scalar(&text, style, tag.as_deref(), span)?, 1))
            }
            Event::SequenceStart(anchor, tag) => (anchor, self.sequence(tag.as_deref(), span, level)?),
            Event::MappingStart(anchor, tag) => (anchor, self.mapping(tag.as_deref(), span, level)?),
            _ => return Err(refused("a value is missing", span)),
        };
        if anchor > 0 {
            let (node, depth) = (read.0.clone(), read.1);
            self.anchors.insert(anchor, Anchored { node, weight: self.spent - before + 1, depth });
        }
        Ok(read)
    }

    fn sequence(&mut self, tag: Option<&Tag>, start: Span, level: usize) -> Read {
        let tag = Meaning::of(tag, start)?;
        if !matches!(tag, Meaning::None | Meaning::List | Meaning::Layer(_)) {
            return Err(refused("the tag does not fit a sequence", start));
        }
        let (mut list, mut span, mut depth) = (Vec::new(), start, 0);
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                let node = Node { value: Value::List(list), span: span.to(at), layer: tag.layer() };
                return Ok((node, depth + 1));
            }
            let (node, below) = self.node(event, at, level + 1)?;
            if node.layer != Layer::Merged {
                return Err(refused("`!reset` and `!override` stand before the value of a key", at)
                    .help("tag the whole sequence with `!override`"));
            }
            span = span.to(at);
            depth = depth.max(below);
            list.push(node);
        }
    }

    fn mapping(&mut self, tag: Option<&Tag>, start: Span, level: usize) -> Read {
        let tag = Meaning::of(tag, start)?;
        if !matches!(tag, Meaning::None | Meaning::Map | Meaning::Layer(_)) {
            return Err(refused("the tag does not fit a mapping", start));
        }
        let (mut map, mut span, mut depth) = (Map::new(), start, 0);
        let mut merged: Option<(Span, Node)> = None;
        loop {
            let (event, key) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let name = self.key(event, key, level)?;
            let (event, at) = self.next()?;
            let (node, below) = self.node(event, at, level + 1)?;
            span = span.to(key).to(if node.span.file == span.file { at } else { key });
            depth = depth.max(below);
            let Some(name) = name else {
                if let Some((first, _)) = merged.replace((key, node)) {
                    return Err(refused("two merge keys `<<` in one mapping", key)
                        .also(first, "the first")
                        .help("write one, with a sequence: `<<: [*a, *b]`"));
                }
                continue;
            };
            if let Some(first) = map.get(&name).map(|entry: &Entry| entry.key) {
                return Err(refused(format!("the key `{}` stands twice", crate::diag::visible(&name)), key)
                    .also(first, "the first")
                    .help("readers of YAML disagree on which of them counts: remove one"));
            }
            map.insert(name, Entry { key, node });
        }
        if let Some((key, node)) = merged {
            merge_key(&mut map, node, key)?;
        }
        Ok((Node { value: Value::Map(map), span, layer: tag.layer() }, depth + 1))
    }

    /// The name of a key; none for the merge key `<<`.
    fn key(&mut self, event: Event<'a>, at: Span, level: usize) -> Result<Option<Arc<str>>, Diagnostic> {
        if let Event::Scalar(text, style, _, tag) = &event
            && text == "<<"
        {
            if *style != ScalarStyle::Plain || tag.is_some() {
                return Err(refused("readers of YAML disagree on a `<<` in quotes or with a tag", at)
                    .help("write `<<` alone"));
            }
            return Ok(None);
        }
        if !matches!(event, Event::Scalar(..) | Event::Alias(_)) {
            return Err(refused("a key is a text", at));
        }
        let (node, _) = self.node(event, at, level)?;
        match node.value {
            Value::Text(text) if node.layer == Layer::Merged => Ok(Some(text.text)),
            _ => Err(refused("a key is a text", at)),
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Node, Diagnostic> {
    let tag = Meaning::of(tag, span)?;
    let plain = style == ScalarStyle::Plain && tag != Meaning::Text;
    let null = plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") || tag == Meaning::Null;
    if matches!(tag, Meaning::List | Meaning::Map) {
        return Err(refused("the tag does not fit a text", span));
    }
    let directory = Arc::from("");
    let value = if null {
        Value::Null
    } else {
        Value::Text(Text { text: text.into(), span, sensitive: false, plain, directory })
    };
    Ok(Node { value, span, layer: tag.layer() })
}

/// Adds what the merge key brings: what the mapping says itself goes first, then the first of a sequence.
fn merge_key(map: &mut Map, node: Node, key: Span) -> Result<(), Diagnostic> {
    let several = match node.value {
        Value::List(list) => list,
        _ => vec![node],
    };
    for node in several {
        let Value::Map(other) = node.value else {
            return Err(refused("the merge key `<<` takes a mapping, or a sequence of mappings", key));
        };
        for (name, entry) in other {
            map.entry(name).or_insert(entry);
        }
    }
    Ok(())
}

/// What a tag asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    None,
    Text,
    Number,
    Null,
    List,
    Map,
    Layer(Layer),
}

impl Meaning {
    fn of(tag: Option<&Tag>, at: Span) -> Result<Self, Diagnostic> {
        let Some(tag) = tag else { return Ok(Self::None) };
        if tag.is_yaml_core_schema() {
            match tag.suffix.as_str() {
                "str" => return Ok(Self::Text),
                "int" | "bool" | "float" => return Ok(Self::Number),
                "null" => return Ok(Self::Null),
                "seq" => return Ok(Self::List),
                "map" => return Ok(Self::Map),
                _ => {}
            }
        } else if tag.handle == "!" {
            match tag.suffix.as_str() {
                "reset" => return Ok(Self::Layer(Layer::Reset)),
                "override" => return Ok(Self::Layer(Layer::Override)),
                _ => {}
            }
        }
        Err(refused("this tag has no meaning in a compose file", at)
            .help("Compose knows `!reset` and `!override`, besides YAML's own `!!str`, `!!int`, `!!bool`"))
    }

    fn layer(self) -> Layer {
        if let Self::Layer(layer) = self { layer } else { Layer::Merged }
    }
}
