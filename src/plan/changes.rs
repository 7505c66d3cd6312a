//! What differs between two sets of choices, in words: for a run that cannot go on because of it.

use serde::Serialize;
use serde_json::Value;

use super::Choices;
use crate::config::VerifyLevel;

/// Differences that are told, at most.
const TOLD: usize = 8;
/// Characters of a value that are shown, at most.
const SHOWN: usize = 60;
/// What tells one member of a list from the others.
const NAMES: [&str; 3] = ["name", "match", "object"];

/// What is another choice now, as far as it belongs to a run's identity: `mapping.table orders.columns.total.to: "text" before, "numeric" now`.
pub fn of_choices(before: &Choices, now: &Choices) -> Vec<String> {
    let bare = |choices: &Choices| {
        let mut choices = choices.clone();
        choices.mapping = choices.mapping.without_places_and_key();
        choices.verify = VerifyLevel::default();
        json(&choices)
    };
    cut(differences(&bare(before), &bare(now)))
}

/// What differs between two of a kind, field by field, for what has no words of its own.
pub(super) fn of_fields(before: &impl Serialize, now: &impl Serialize) -> Vec<String> {
    cut(differences(&json(before), &json(now)))
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

pub(super) fn cut(mut all: Vec<String>) -> Vec<String> {
    if all.len() > TOLD {
        let more = all.len() - TOLD;
        all.truncate(TOLD);
        all.push(format!("and {more} more"));
    }
    all
}

fn differences(before: &Value, now: &Value) -> Vec<String> {
    let mut all = Vec::new();
    compare("", before, now, &mut all);
    all
}

fn compare(path: &str, before: &Value, now: &Value, all: &mut Vec<String>) {
    match (before, now) {
        _ if before == now => {}
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                one(&path, old.get(name), new.get(name), all);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.iter().chain(new).all(|member| label(member).is_some()) => {
            let mut names: Vec<String> = old.iter().chain(new).filter_map(label).collect();
            names.sort();
            names.dedup();
            let find = |list: &[Value], name: &str| -> Vec<Value> {
                list.iter().filter(|member| label(member).as_deref() == Some(name)).cloned().collect()
            };
            let mut named = false;
            for name in names {
                let (olds, news) = (find(old, &name), find(new, &name));
                let path = format!("{path} `{name}`");
                let before = all.len();
                for place in 0..olds.len().max(news.len()) {
                    one(&path, olds.get(place), news.get(place), all);
                }
                named |= all.len() > before;
            }
            if !named {
                all.push(format!("{path}: another order"));
            }
        }
        _ => all.push(format!("{path}: {} before, {} now", shown(before), shown(now))),
    }
}

fn one(path: &str, before: Option<&Value>, now: Option<&Value>, all: &mut Vec<String>) {
    match (before, now) {
        (Some(before), Some(now)) => compare(path, before, now, all),
        (Some(before), None) => all.push(format!("{path}: {} before, not given now", shown(before))),
        (None, Some(now)) => all.push(format!("{path}: not given before, {} now", shown(now))),
        (None, None) => {}
    }
}

fn label(member: &Value) -> Option<String> {
    let name = NAMES.iter().find_map(|name| member.get(name))?;
    Some(match name {
        Value::String(name) => name.clone(),
        // A table's name has a schema; the source's own is not said by those who have one only.
        Value::Object(parts) if parts.contains_key("schema") => parts.get("name").and_then(Value::as_str)?.to_string(),
        other => shown(other),
    })
}

fn shown(value: &Value) -> String {
    let text = words(value);
    if text.chars().count() <= SHOWN { text } else { format!("{}…", text.chars().take(SHOWN).collect::<String>()) }
}

/// A value without the signs of JSON, as far as it can be read without them.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::Array(all) if all.is_empty() => "none".into(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let told = fields.iter().filter(|(_, value)| !value.is_null());
            told.map(|(name, value)| format!("{name} = {}", words(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_is_named_by_its_place() {
        let before = json!({"a": 1, "table": [{"name": "x", "to": "y"}, {"name": "gone"}], "list": [1, 2], "same": [true]});
        let now =
            json!({"a": 2, "table": [{"name": "new"}, {"name": "x", "to": "z", "where": "w"}], "list": [1], "same": [true]});
        assert_eq!(
            differences(&before, &now),
            [
                "a: 1 before, 2 now",
                "list: 1, 2 before, 1 now",
                "table `gone`: name = \"gone\" before, not given now",
                "table `new`: not given before, name = \"new\" now",
                "table `x`.to: \"y\" before, \"z\" now",
                "table `x`.where: not given before, \"w\" now",
            ]
        );
        let turned = json!([{"name": "x"}, {"name": "y"}]);
        assert_eq!(differences(&turned, &json!([{"name": "y"}, {"name": "x"}])), [": another order"]);
    }
}
