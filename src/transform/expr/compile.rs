//! From the text of an expression to what is evaluated.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError, ScalarValue};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Expr, ExprSchemable};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast::Expr as Parsed;
use datafusion_sql::sqlparser::tokenizer::Span;

use super::cast::Rounding;
use super::fault::{at, words};
use super::functions::functions;
use super::parse::{parse, parse_alone, parts};
use super::rewrite;
use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};

/// Stack of the thread that compiles. It is reserved, and used only as far as needed.
const STACK_BYTES: usize = 256 << 20;

/// What to do about a part that DataFusion refuses.
const FITTING: &str =
    "Compare and join values of one kind: `CAST(… AS …)` makes one of another, `nullif(…, 0)` keeps a divisor from zero";

/// An expression that can be evaluated.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The text.
    pub sql: String,
    /// What is evaluated, in logical form.
    pub logical: Expr,
    /// Its type.
    pub data_type: DataType,
    /// The columns that it reads, in the order of the scope.
    pub inputs: Vec<String>,
    physical: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

/// Compiles an expression.
///
/// # Errors
/// `Mapping`, with the place in the text.
pub fn compile(sql: &str, scope: &Scope, rounding: Rounding) -> Result<Compiled> {
    on_a_long_stack(sql, || compile_here(sql, scope, rounding))
}

/// Checks an expression whose columns are not known: what is wrong whatever they are. One that names none is compiled.
///
/// # Errors
/// `Mapping`, with the place in the text.
pub fn check_alone(sql: &str) -> Result<()> {
    alone(sql).map(|_| ())
}

/// What [`check_alone`] does, and the type of an expression that names no column.
pub fn alone(sql: &str) -> Result<Option<DataType>> {
    on_a_long_stack(sql, || {
        let parsed = parse_alone(sql)?;
        let (parts, nothing) = (parts(&parsed), Scope::new(&[], 0)?);
        for (part, span) in &parts {
            // A type is known or not, whatever is cast to it.
            if let Parsed::Cast { data_type, .. } = part
                && let Err(error) = compile_here(&format!("CAST(NULL AS {data_type})"), &nothing, Rounding::Exact)
            {
                return Err(at(sql, *span, &format!("there is no cast to `{data_type}`")).with_source(error).hint(
                    "The types are those of SQL: `INT`, `BIGINT`, `DECIMAL(10, 2)`, `DOUBLE`, `VARCHAR`, `BYTEA`, `DATE`, `TIMESTAMP`, `BOOLEAN`",
                ));
            }
        }
        if parts.iter().any(|(part, _)| matches!(part, Parsed::Identifier(_) | Parsed::CompoundIdentifier(_))) {
            return Ok(None);
        }
        compile_here(sql, &nothing, Rounding::Exact).map(|compiled| Some(compiled.data_type))
    })
}

/// Reading and planning call themselves once per level of a text that may be hostile: on a stack that is long enough for any that `parse`
/// lets in.
fn on_a_long_stack<T: Send>(sql: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|threads| {
        let compiler = std::thread::Builder::new().stack_size(STACK_BYTES).name("compile".into());
        match compiler.spawn_scoped(threads, work).map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(unfit(sql, "it makes the compiler of expressions stop; please report it")),
            Err(error) => Err(Error::from(error)),
        }
    })
}

fn compile_here(sql: &str, scope: &Scope, rounding: Rounding) -> Result<Compiled> {
    let parsed = parse(sql, scope)?;
    plan(sql, &parsed, scope, rounding).map_err(|error| locate(sql, &parsed, scope, rounding, &error))
}

/// The innermost part that is wrong by itself is the place of an error.
fn locate(sql: &str, parsed: &Parsed, scope: &Scope, rounding: Rounding, error: &DataFusionError) -> Error {
    for (part, span) in parts(parsed) {
        if span != Span::empty()
            && let Err(error) = plan(sql, &part, scope, rounding)
        {
            return at(sql, span, &words(&error)).hint(FITTING);
        }
    }
    at(sql, Span::empty(), &words(error)).hint(FITTING)
}

fn plan(sql: &str, parsed: &Parsed, scope: &Scope, rounding: Rounding) -> Result<Compiled, DataFusionError> {
    let schema = scope.schema();
    let options = ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_enable_ident_normalization(false)
        // A length would not be kept to.
        .with_support_varchar_with_length(false)
        .with_map_string_types_to_utf8view(false);
    let planner = SqlToRel::new_with_options(functions(), options);
    let expr = planner.sql_to_expr(parsed.clone(), schema, &mut PlannerContext::new())?;
    let expr = rewrite::written(expr, schema, scope.now_us(), rounding)?;
    let context =
        SimplifyContext::builder().with_schema(Arc::clone(schema)).with_config_options(Arc::clone(functions().config())).build();
    let simplifier = ExprSimplifier::new(context);
    let expr = simplifier.coerce(expr, schema)?;
    let expr = rewrite::strict(expr, schema, rounding)?;
    // What the simplifier adds is made strict in its turn.
    let expr = rewrite::strict(simplifier.simplify(expr)?, schema, rounding)?;
    let expr = rewrite::guard(expr, schema)?;
    rewrite::verify(&expr)?;
    build(sql, expr, scope)
}

fn build(sql: &str, logical: Expr, scope: &Scope) -> Result<Compiled, DataFusionError> {
    let named = logical.column_refs();
    let inputs: Vec<String> =
        scope.names().filter(|name| named.iter().any(|column| column.name == *name)).map(str::to_string).collect();
    let fields = scope.schema().fields().iter().filter(|field| inputs.contains(field.name())).cloned();
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let row = DFSchema::try_from(Arc::clone(&schema))?;
    let physical = physical(&logical, &row)?;
    let data_type = logical.get_type(&row)?;
    check_constants(&logical)?;
    Ok(Compiled { sql: sql.to_string(), logical, data_type, inputs, physical, schema })
}

fn physical(logical: &Expr, row: &DFSchema) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    let mut properties = ExecutionProps::new();
    properties.config_options = Some(Arc::clone(functions().config()));
    create_physical_expr(logical, row, &properties, &PhysicalPlanningContext::default())
}

/// Parts without a column that the simplifier could not compute are wrong for every row.
fn check_constants(logical: &Expr) -> Result<(), DataFusionError> {
    logical.apply(|part| {
        if matches!(part, Expr::Literal(..)) || !part.column_refs().is_empty() {
            return Ok(TreeNodeRecursion::Continue);
        }
        let row = DFSchema::empty();
        let one = RecordBatch::try_new_with_options(
            Arc::new(Schema::empty()),
            Vec::new(),
            &RecordBatchOptions::new().with_row_count(Some(1)),
        )?;
        physical(part, &row)?.evaluate(&one)?;
        Ok(TreeNodeRecursion::Jump)
    })?;
    Ok(())
}

impl Compiled {
    /// The value, when it is the same for every row.
    pub fn constant(&self) -> Option<&ScalarValue> {
        match &self.logical {
            Expr::Literal(value, _) => Some(value),
            _ => None,
        }
    }

    /// The columns that it reads, taken out of `batch` by name.
    ///
    /// # Errors
    /// `Internal` if one is not there, or of another type.
    pub fn take(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.inputs.len());
        for field in self.schema.fields() {
            let array = batch.column_by_name(field.name()).filter(|array| array.data_type() == field.data_type());
            arrays.push(Arc::clone(
                array.ok_or_else(|| {
                    Error::internal(format!("a batch has no column `{}` of {}", field.name(), field.data_type()))
                })?,
            ));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }

    /// The values for the rows of what [`Compiled::take`] gave.
    ///
    /// # Errors
    /// Why a value cannot be computed.
    pub fn evaluate(&self, rows: &RecordBatch) -> Result<ArrayRef, String> {
        // Some kernels panic where a result is larger than an array can be: `repeat(x, 1000000000)`.
        let values =
            catch_unwind(AssertUnwindSafe(|| self.physical.evaluate(rows).and_then(|values| values.into_array(rows.num_rows()))));
        match values {
            Ok(values) => values.map_err(|error| words(&error)),
            Err(_) => Err("a function gave up on the values, perhaps since its result is too large".into()),
        }
    }
}

/// The first row of `rows` for which `fails`, and why; none if each single row passes.
pub fn first_failure(rows: &RecordBatch, fails: impl Fn(&RecordBatch) -> Option<String>) -> Option<(usize, String)> {
    let (mut start, mut end) = (0, rows.num_rows());
    // Which rows fail does not depend on their neighbours, so that halving finds the first one.
    while end - start > 1 {
        let middle = start + (end - start) / 2;
        if fails(&part(rows, start, middle)?).is_some() {
            end = middle;
        } else {
            start = middle;
        }
    }
    if start == end {
        return None;
    }
    fails(&part(rows, start, end)?).map(|why| (start, why))
}

/// A copy, since some kernels look at all bytes of a slice's buffers.
fn part(rows: &RecordBatch, start: usize, end: usize) -> Option<RecordBatch> {
    let (start, end) = (u64::try_from(start).ok()?, u64::try_from(end).ok()?);
    take_record_batch(rows, &UInt64Array::from_iter_values(start..end)).ok()
}

/// An error for a text that is right but does not fit its use.
pub fn unfit(sql: &str, what: &str) -> Error {
    let error = at(sql, Span::empty(), what);
    debug_assert_eq!(error.kind(), ErrorKind::Mapping);
    error
}
