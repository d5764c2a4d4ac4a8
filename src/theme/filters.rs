//! Filters: how money, dates and data are printed, the same on pages, in carts and in mails.

use std::borrow::Cow;

use jiff::civil::Date;
use tera::value::Key;
use tera::{Kwargs, State, Tera, TeraResult, Value};

use super::scan::script_signs;
use super::{locale, texts};
use crate::commerce::money::{Currency, Money};

/// Makes `money`, `date`, `json` and `fill` known to templates.
pub(super) fn register(tera: &mut Tera) {
    tera.register_filter("money", money);
    tera.register_filter("date", date);
    tera.register_filter("json", json);
    tera.register_filter("fill", fill);
}

// `{{ price | money(lang=site.language) }}`: {amount, currency} as people of that language write it.
fn money(value: &Value, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let wrong = || tera::Error::message("`money` prints {amount, currency} and nothing else");
    let of = |name| value.as_map().and_then(|map| map.get(&Key::Str(name)));
    let minor = of("amount").and_then(Value::as_i64).ok_or_else(wrong)?;
    let currency = of("currency").and_then(Value::as_str).and_then(Currency::from_code).ok_or_else(wrong)?;
    let language: Option<&str> = kwargs.get("lang")?;
    Ok(locale::money(Money::new(minor, currency), language.unwrap_or("en")))
}

// `{{ "2026-12-24" | date(lang=site.language) }}`: the day of an RFC 3339 date or instant, in words.
fn date(value: &str, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let wrong = || tera::Error::message(format!("`{value}` is not a date"));
    let day: Date = value.get(..10).ok_or_else(wrong)?.parse().map_err(|_| wrong())?;
    let language: Option<&str> = kwargs.get("lang")?;
    Ok(locale::date(day, language.unwrap_or("en")))
}

// `{{ value | json }}`: for a script element or a data attribute; can end neither.
fn json(value: &Value, _: Kwargs, _: &State) -> TeraResult<Value> {
    let text = serde_json::to_string(value).map_err(|error| tera::Error::message(error.to_string()))?;
    Ok(Value::safe_string(&script_safe(&text)))
}

// `{{ site.texts.category.page_of | fill(number=2, count=9) }}`: a text with its gaps filled; `count` also chooses the plural form. What a
// part or a `set` block has printed stays as it is, all else is escaped where the template is.
fn fill(value: &Value, kwargs: Kwargs, state: &State) -> TeraResult<Value> {
    let count: Option<u64> = kwargs.get(texts::COUNT)?;
    let language = value.get_from_path("language").and_then(Value::as_str);
    let text = match language {
        Some(language) => value
            .get_from_path(texts::category(language, count.unwrap_or(0)))
            .or_else(|| value.get_from_path("other"))
            .and_then(Value::as_str),
        None => value.as_str(),
    };
    let text = text.ok_or_else(|| tera::Error::message("`fill` prints one of site.texts and nothing else"))?;
    let printed = |value: &Value| match (language, value.as_u64()) {
        (Some(language), Some(count)) => Ok(locale::count(count, language)),
        _ => state.escape_if_needed(value),
    };
    let is_escaped = state.autoescaping_enabled();
    let source = if is_escaped { Cow::Owned(state.escape(text)?) } else { Cow::Borrowed(text) };
    let mut filled = String::with_capacity(source.len() + 32);
    let mut failure = None;
    texts::fill(&source, &mut filled, |gap| {
        let given = kwargs.get::<&Value>(gap).ok().flatten();
        let missing = || tera::Error::message(format!("`{text}` has a gap `{gap}`: write fill({gap}=…)"));
        match given.ok_or_else(missing).and_then(printed) {
            Ok(text) => Some(text.into()),
            Err(error) => {
                failure = Some(error);
                None
            }
        }
    });
    match failure {
        Some(error) => Err(error),
        None if is_escaped => Ok(Value::safe_string(&filled)),
        None => Ok(Value::from(filled)),
    }
}

/// Makes JSON text safe inside a script element and an attribute: no `<`, `>`, `&`, quote mark that ends one, U+2028 or U+2029.
///
/// Source: HTML Standard, "Restrictions for contents of script elements".
pub fn script_safe(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut safe = String::with_capacity(json.len() + 16);
    let mut kept = 0;
    for at in script_signs(bytes) {
        let (written, length) = match &bytes[at..] {
            [b'<', ..] => ("\\u003c", 1),
            [b'>', ..] => ("\\u003e", 1),
            [b'&', ..] => ("\\u0026", 1),
            [b'\'', ..] => ("\\u0027", 1),
            [0xE2, 0x80, 0xA8, ..] => ("\\u2028", 3),
            [0xE2, 0x80, 0xA9, ..] => ("\\u2029", 3),
            _ => continue,
        };
        safe.push_str(&json[kept..at]);
        safe.push_str(written);
        kept = at + length;
    }
    safe.push_str(&json[kept..]);
    safe
}

/// A text as HTML, in an element or in a quoted attribute.
pub fn html_safe(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::script_safe;

    #[test]
    fn nothing_in_json_can_end_its_script() {
        let text = serde_json::to_string("</script><!-- & ' \u{2028}").expect("a text");
        let safe = script_safe(&text);
        assert!(!safe.contains(['<', '>', '&', '\'', '\u{2028}']), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).expect("still JSON"), "</script><!-- & ' \u{2028}");
    }

    #[test]
    fn a_sign_is_found_wherever_it_stands() {
        for place in 0..100 {
            let text = format!("{}<{}’\u{2029}>", "a".repeat(place), "b".repeat(100 - place));
            let expected = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('\u{2029}', "\\u2029");
            assert_eq!(script_safe(&text), expected, "at {place}");
        }
    }
}
