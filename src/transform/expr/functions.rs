//! The functions that an expression may call.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, Volatility, WindowUDF};
use datafusion_functions::core::planner::CoreFunctionPlanner;
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_functions_nested::planner::{FieldAccessPlanner, NestedFunctionPlanner};

/// The zone that `TIMESTAMP WITH TIME ZONE` means while an expression is planned. No zone that is written in `AT TIME ZONE` is spelled so
/// (`UTC` is), which tells a zone that was named from one that was not.
pub const UNNAMED_ZONE: &str = "+00:00";

/// Casts under another name, which [`super::rewrite`] would not see, and what tells of the program and not of the row.
const WITHHELD: &[&str] = &[
    "arrow_cast",
    "arrow_try_cast",
    "cast_to_type",
    "try_cast_to_type",
    "with_metadata",
    "version",
    "get_field",
    "struct",
    "named_struct",
];

/// Names that DataFusion knows as aggregates or window functions, for a better message than "unknown".
const AGGREGATES: &[&str] = &[
    "approx_distinct",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "dense_rank",
    "first_value",
    "grouping",
    "lag",
    "last_value",
    "lead",
    "max",
    "mean",
    "median",
    "min",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    "stddev",
    "string_agg",
    "sum",
    "var",
    "variance",
];

/// What is known of a function's name.
pub enum Known {
    /// It may be called.
    Function,
    /// Its result varies from call to call.
    Volatile,
    /// It is over many rows.
    Aggregate,
    /// There is none.
    Unknown,
}

/// All functions at hand, by each of their names in lower case.
pub struct Functions {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: Arc<ConfigOptions>,
}

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
    let mut scalar = HashMap::new();
    let all = datafusion_functions::all_default_functions();
    for function in all.into_iter().chain(datafusion_functions_nested::all_default_nested_functions()) {
        if !WITHHELD.contains(&function.name()) {
            for alias in function.aliases() {
                scalar.insert(alias.to_lowercase(), Arc::clone(&function));
            }
            scalar.insert(function.name().to_lowercase(), function);
        }
    }
    let mut options = ConfigOptions::default();
    options.execution.time_zone = Some(UNNAMED_ZONE.into());
    let planners: Vec<Arc<dyn ExprPlanner>> = vec![
        Arc::new(CoreFunctionPlanner::default()),
        Arc::new(DatetimeFunctionPlanner),
        Arc::new(NestedFunctionPlanner),
        Arc::new(FieldAccessPlanner),
        Arc::new(UnicodeFunctionPlanner),
    ];
    Functions { scalar, planners, options: Arc::new(options) }
});

/// The functions at hand.
pub fn functions() -> &'static Functions {
    &FUNCTIONS
}

impl Functions {
    /// What is known of `name`, without regard to case.
    pub fn known(&self, name: &str) -> Known {
        let lower = name.to_lowercase();
        match self.scalar.get(&lower) {
            Some(function) if function.signature().volatility == Volatility::Volatile => Known::Volatile,
            Some(_) => Known::Function,
            None if AGGREGATES.contains(&lower.as_str()) => Known::Aggregate,
            None => Known::Unknown,
        }
    }

    /// All names.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.scalar.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The settings of planning and of evaluation.
    pub fn config(&self) -> &Arc<ConfigOptions> {
        &self.options
    }
}

impl ContextProvider for Functions {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("an expression has no table, so `{name}` is unknown")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalar.get(name).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, _name: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.names().into_iter().map(str::to_string).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
