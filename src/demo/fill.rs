//! The rows of the shop: always the same for the same number of rows.

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::random::{Random, date_text, time_text, timestamp_text};
use super::{odd, words};

/// The seed of everything.
const SEED: u64 = 0xdb_fe_22_79;
/// 2015-01-01, the shop's first day.
const FIRST_DAY: i32 = 16_436;
/// Days that the shop has been open.
const OPEN_DAYS: u32 = 4_000;
/// Seconds of a day.
const DAY_SECONDS: u32 = 86_400;

/// How many rows each table gets.
pub(super) struct Plan {
    categories: u32,
    customers: u32,
    addresses: u32,
    products: u32,
    orders: u32,
    order_items: u32,
    payments: u32,
    reviews: u32,
    notes: u32,
    rate_days: u32,
    visits: u32,
}

impl Plan {
    /// Shares out `rows` rows, [`super::MIN_ROWS`] at least; the tables' rows add up to exactly that.
    pub(super) fn of(rows: u32) -> Self {
        let percent = |share: u32| rows / 100 * share;
        let mut plan = Plan {
            categories: (rows / 10_000).clamp(8, 60),
            customers: percent(4),
            addresses: percent(5),
            products: percent(2),
            orders: percent(20),
            order_items: 0,
            payments: percent(18),
            reviews: percent(6),
            notes: percent(1),
            rate_days: rows / 1000,
            visits: percent(4),
        };
        let odd = u32::try_from(odd::rows().len()).unwrap_or(0);
        let currencies = u32::try_from(words::CURRENCIES.len()).unwrap_or(0);
        let others = plan.categories
            + plan.customers
            + plan.addresses
            + plan.products
            + plan.orders
            + plan.payments
            + plan.reviews
            + plan.notes
            + plan.rate_days * currencies
            + plan.visits
            + odd;
        plan.order_items = rows.saturating_sub(others);
        plan
    }
}

/// Fills every table.
pub(super) fn fill(connection: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    let mut random = Random::new(SEED);
    categories(connection, plan)?;
    customers(connection, plan, &mut random)?;
    addresses(connection, plan, &mut random)?;
    let prices = products(connection, plan, &mut random)?;
    let totals = orders(connection, plan, &mut random, &prices)?;
    payments(connection, plan, &mut random, &totals)?;
    reviews(connection, plan, &mut random)?;
    notes(connection, plan, &mut random)?;
    rates(connection, plan, &mut random)?;
    visits(connection, plan, &mut random)?;
    odd_values(connection)
}

/// The nearest double of an amount in cents: its shortest text has at most two places.
fn money(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}

fn day(random: &mut Random) -> i32 {
    FIRST_DAY.saturating_add_unsigned(random.below(OPEN_DAYS))
}

fn moment(random: &mut Random) -> String {
    timestamp_text(day(random), random.below(DAY_SECONDS), 0)
}

fn categories(connection: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO categories VALUES (?1, ?2, ?3)")?;
    for id in 1..=plan.categories {
        // A tree: the first four are its roots.
        let parent = if id <= 4 { None } else { Some(id / 4) };
        insert.execute(params![id, parent, format!("Category {id}")])?;
    }
    Ok(())
}

fn customers(connection: &Connection, plan: &Plan, random: &mut Random) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO customers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    for id in 1..=plan.customers {
        let (first, last) = (random.pick(&words::FIRST_NAMES), random.pick(&words::LAST_NAMES));
        let phone = match random.below(8) {
            0 => None,
            1 => Some(String::new()),
            _ => Some(format!("+{} {}", random.between(1, 99), random.between(1_000_000, 99_999_999))),
        };
        let birth = (!random.one_in(5)).then(|| date_text(random.between(-12_000, 13_000)));
        let settings = match random.below(4) {
            0 => None,
            1 => Some("{}".to_string()),
            _ => Some(format!(
                r#"{{"theme": "{}", "newsletter": {}, "limits": [{}, {}.50], "tags": ["{}", "ß"]}}"#,
                random.pick(&["light", "dark"]),
                random.one_in(2),
                random.below(100),
                random.below(1000),
                random.pick(&words::ADJECTIVES),
            )),
        };
        insert.execute(params![
            id,
            random.uuid().hyphenated().to_string(),
            format!("{}.{id}@example.org", first.to_lowercase()),
            format!("{first} {last}"),
            phone,
            birth,
            !random.one_in(10),
            money(random.below(1_000_000)),
            settings,
            moment(random),
        ])?;
    }
    Ok(())
}

fn addresses(connection: &Connection, plan: &Plan, random: &mut Random) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO addresses VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    for id in 1..=plan.addresses {
        let known = !random.one_in(4);
        insert.execute(params![
            id,
            random.id(plan.customers),
            random.pick(&["home", "work", "holiday"]),
            format!("{} {}", random.pick(&words::STREETS), random.below(300)),
            random.pick(&words::CITIES),
            (!random.one_in(9)).then(|| format!("{:05}", random.below(100_000))),
            random.pick(&words::COUNTRIES),
            known.then(|| f64::from(random.between(-90_000_000, 90_000_000)) / 1e6),
            known.then(|| f64::from(random.between(-180_000_000, 180_000_000)) / 1e6),
        ])?;
    }
    Ok(())
}

/// Gives the prices in cents, by id.
fn products(connection: &Connection, plan: &Plan, random: &mut Random) -> rusqlite::Result<Vec<u32>> {
    let mut insert = connection.prepare("INSERT INTO products VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?;
    let mut prices = Vec::new();
    for id in 1..=plan.products {
        let price = random.below(50_000) + 1;
        prices.push(price);
        let name = format!("{} {}", random.pick(&words::ADJECTIVES), random.pick(&words::NOUNS));
        let words_count = random.below(40);
        let description = (!random.one_in(6)).then(|| random.sentence(&words::WORDS, words_count));
        let digital = random.one_in(12);
        let photo = (!random.one_in(3)).then(|| {
            let length = random.below(120);
            random.bytes(length)
        });
        let attributes = (!random.one_in(4)).then(|| {
            format!(
                r#"{{"colour": "{}", "size": {{"w": {}, "h": {}.5}}, "sold": {}}}"#,
                random.pick(&["red", "grün", "bleu"]),
                random.below(200),
                random.below(200),
                random.one_in(2),
            )
        });
        insert.execute(params![
            id,
            random.id(plan.categories),
            format!("SKU-{id:08}"),
            name,
            description,
            money(price),
            (!digital).then(|| f64::from(random.below(50_000)) / 1000.0),
            random.below(1000),
            digital,
            photo,
            attributes,
            date_text(day(random)),
        ])?;
    }
    Ok(prices)
}

/// The orders and their items. Gives the totals in cents, by id.
fn orders(connection: &Connection, plan: &Plan, random: &mut Random, prices: &[u32]) -> rusqlite::Result<Vec<u32>> {
    let mut order = connection.prepare("INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let mut item = connection.prepare("INSERT INTO order_items VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut totals = Vec::new();
    let share = |orders: u32| u64::from(plan.order_items) * u64::from(orders) / u64::from(plan.orders.max(1));
    let mut kept = 0;
    for id in 1..=plan.orders {
        let mut lines = u32::try_from(share(id) - share(id - 1)).unwrap_or(0) + kept;
        // Orders differ in length, and all together have exactly the planned items: what one leaves the next one takes.
        kept = if id < plan.orders && lines > 1 { random.below(lines) } else { 0 };
        lines -= kept;
        let mut total: u32 = 0;
        for line in 1..=lines {
            let product = random.id(plan.products);
            let price = usize::try_from(product - 1).ok().and_then(|place| prices.get(place)).copied().unwrap_or(0);
            let quantity = random.id(5);
            total += price * quantity;
            let discount = random.one_in(10).then(|| f64::from(random.below(30)) / 100.0);
            item.execute(params![id, line, product, quantity, money(price), discount])?;
        }
        totals.push(total);
        order.execute(params![
            id,
            random.id(plan.customers),
            (!random.one_in(7)).then(|| random.id(plan.addresses)),
            random.pick(&words::STATUSES),
            moment(random),
            random.one_in(3).then(|| time_text(random.below(DAY_SECONDS))),
            money(total),
            random.one_in(4).then(|| random.pick(&words::NOTES)),
        ])?;
    }
    Ok(totals)
}

fn payments(connection: &Connection, plan: &Plan, random: &mut Random, totals: &[u32]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO payments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for id in 1..=plan.payments {
        let order = random.id(plan.orders);
        let total = usize::try_from(order - 1).ok().and_then(|place| totals.get(place)).copied().unwrap_or(0);
        let paid = (!random.one_in(20)).then(|| timestamp_text(day(random), random.below(DAY_SECONDS), random.below(1_000_000)));
        let receipt = random.one_in(8).then(|| random.bytes(24));
        let reference = random.uuid().into_bytes();
        insert.execute(params![id, order, random.pick(&words::METHODS), money(total), paid, reference, receipt])?;
    }
    Ok(())
}

fn reviews(connection: &Connection, plan: &Plan, random: &mut Random) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO reviews VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for id in 1..=plan.reviews {
        let length = random.below(30);
        let title = (!random.one_in(5)).then(|| random.sentence(&words::WORDS, 3));
        insert.execute(params![
            id,
            random.id(plan.products),
            (!random.one_in(10)).then(|| random.id(plan.customers)),
            random.id(5),
            title,
            random.sentence(&words::WORDS, length),
            random.one_in(2).then(|| f64::from(random.below(1000)) / 7.0),
            moment(random),
        ])?;
    }
    Ok(())
}

fn notes(connection: &Connection, plan: &Plan, random: &mut Random) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO \"Order Notes\" VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for id in 1..=plan.notes {
        let group = (!random.one_in(3)).then(|| random.pick(&["", "Billing", "Depot 2", "O'Neill"]));
        let flag = (!random.one_in(3)).then(|| random.one_in(2));
        // Ids with gaps, and some below zero.
        insert.execute(params![i64::from(id) * 3 - 100, random.id(plan.orders), group, flag, random.pick(&words::NOTES)])?;
    }
    Ok(())
}

fn rates(connection: &Connection, plan: &Plan, random: &mut Random) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO exchange_rates VALUES (?1, ?2, ?3)")?;
    for currency in words::CURRENCIES {
        for offset in 0..plan.rate_days {
            let rate = f64::from(random.below(200_000_000)) / 1e6;
            insert.execute(params![currency, date_text(FIRST_DAY.saturating_add_unsigned(offset)), rate])?;
        }
    }
    Ok(())
}

fn visits(connection: &Connection, plan: &Plan, random: &mut Random) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO page_visits VALUES (?1, ?2, ?3, ?4)")?;
    let mut left = plan.visits;
    while left > 0 {
        // Each third visit is there twice, to the last value.
        let times = if random.one_in(3) { left.min(2) } else { 1 };
        let customer = (!random.one_in(4)).then(|| random.id(plan.customers));
        let (page, on) = (random.pick(&words::PAGES), date_text(day(random)));
        let seconds = (!random.one_in(6)).then(|| random.below(600));
        for _ in 0..times {
            insert.execute(params![customer, page, seconds, on])?;
        }
        left -= times;
    }
    Ok(())
}

fn odd_values(connection: &Connection) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare("INSERT INTO odd_values VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")?;
    for (id, (what, values)) in (-2i64..).zip(odd::rows()) {
        let front = [Value::Integer(id), Value::Text(what.to_string())];
        insert.execute(rusqlite::params_from_iter(front.into_iter().chain(values)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_items_and_the_shares_add_up() {
        for rows in [super::super::MIN_ROWS, 5_000, 123_457, super::super::DEFAULT_ROWS] {
            let plan = Plan::of(rows);
            assert!(plan.order_items >= plan.orders, "{rows}");
        }
    }
}
