//! Outputs as text.

use crate::state::StoredOutput;
use crate::value::Value;

/// The value of an output in the notation of Terraform's console.
pub fn output_value(output: &StoredOutput) -> String {
    let Some(json) = &output.value else { return "(sensitive value)".to_owned() };
    let text = json.to_string();
    Value::from_json_text(&text).map_or(text, |value| value.display().to_string())
}
