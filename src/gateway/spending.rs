//! What a request uses of its caller's allowances: held back before it goes out, booked when it is
//! over.

use super::caller::{Asking, model, model_of};
use super::models::may_run;
use super::{Gateway, World};
use crate::caller::account::{Account, Allowance, Hold, Overdrawn, Standing};
use crate::caller::estimate::Estimate;
use crate::caller::{FORBIDDEN, Policy};
use crate::config::caller::Period;
use crate::dialect::{Facts, Usage};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::Headers;
use crate::json::Object;
use crate::plan::Plan;
use crate::report::Report;

/// Value of the log's `limited_by`.
const TOKENS: &str = "tokens_per_minute";
/// Others.
const REQUESTS: &str = "requests_per_minute";
const SERVICE: &str = "rate_limit_service";
const BUDGET: &str = "budget";

/// What a request may use, by what is known of it.
#[derive(Debug, Default)]
pub(super) struct Needs {
    tokens: Option<u64>,
    micro_usd: Option<u64>,
}

/// What is held back for a request that is under way.
#[derive(Debug, Default)]
pub(super) struct Held {
    tokens: Option<Part>,
    money: Option<Part>,
}

#[derive(Debug)]
struct Part {
    account: String,
    allowance: Allowance,
    hold: Hold,
}

/// What a request has used in the end.
#[derive(Debug)]
enum Used {
    /// Nothing: no provider has done anything for it.
    Nothing,
    /// So much.
    Known(Facts),
    /// Somebody may have worked for it, and did not say how much.
    Unknown,
}

/// The allowance of tokens, and the name of its account.
fn tokens_of(policy: &Policy) -> Option<(String, Allowance)> {
    let limit = policy.rules.tokens_per_minute?;
    Some((format!("tokens.{}", policy.name), Allowance { limit, per: Period::Minute }))
}

/// The allowance of money, and the name of its account.
fn money_of(policy: &Policy) -> Option<(String, Allowance)> {
    let budget = policy.rules.budget.as_ref()?;
    // Numbers of days and months cannot be compared.
    let per = word(budget.per);
    let allowance = Allowance { limit: budget.micro_usd, per: budget.per };
    Some((format!("budget.{per}.{}", policy.name), allowance))
}

fn word(period: Period) -> &'static str {
    match period {
        Period::Minute => "minute",
        Period::Day => "day",
        Period::Month => "month",
    }
}

/// Names of all accounts that a caller needs: each must be opened before its first request.
pub fn accounts(policy: &Policy) -> impl Iterator<Item = String> {
    [tokens_of(policy), money_of(policy)].into_iter().flatten().map(|(name, _)| name)
}

impl Gateway {
    /// What the request may use at the dearest of its targets.
    ///
    /// # Errors
    /// 403: nobody can tell, and the caller has a budget.
    pub(super) fn needs(
        &self,
        plan: &Plan,
        headers: &Headers,
        body: Option<&Object<'_>>,
    ) -> Result<Needs, Error> {
        let Some(policy) = self.asking.policy() else { return Ok(Needs::default()) };
        let rules = &policy.rules;
        let limited = self.counts_for_service()
            || rules.tokens_per_minute.is_some()
            || rules.budget.is_some();
        let is_free = plan.endpoint == Endpoint::CountTokens || !may_run(plan.endpoint, headers);
        if !limited || is_free {
            return Ok(Needs::default());
        }
        let estimate = body.map(|body| Estimate::of(plan.endpoint, body)).unwrap_or_default();
        let mut needs = Needs { tokens: Some(estimate.tokens()), micro_usd: None };
        let Some(budget) = &rules.budget else { return Ok(needs) };
        let usage = Usage {
            prompt_tokens: estimate.prompt,
            completion_tokens: estimate.answer,
            ..Usage::default()
        };
        let asked = model(plan, body);
        let floor = budget.reserve_micro_usd.unwrap_or_default();
        let mut most = 0;
        for target in &plan.targets {
            let upstream = self.registry.upstream(&target.cluster);
            let model = model_of(upstream, target, asked.as_deref());
            // Without its body the length of an answer, or of a session, is anybody's guess.
            let known = upstream.zip(model.as_deref()).filter(|_| body.is_some());
            let price = known.and_then(|(upstream, model)| {
                self.registry.prices.cost(upstream.provider.slug, model, &usage)
            });
            match price {
                Some(price) => most = most.max(price.max(floor)),
                None if budget.unpriced => {}
                None => return Err(unpriced(model.as_deref())),
            }
        }
        needs.micro_usd = Some(most);
        Ok(needs)
    }

    /// Holds back what the request may use.
    ///
    /// # Errors
    /// 429: not so many tokens are left of this minute. 412: not so much money is left.
    pub(super) fn hold(&mut self, world: &dyn World) -> Result<(), Error> {
        let needs = std::mem::take(&mut self.asking.needs);
        let Some(identity) = self.asking.identity.clone() else { return Ok(()) };
        let Some(shared) = world.shared() else { return Ok(()) };
        let policy = &identity.policy;
        let now = seconds(world);
        self.asking.tokens = needs.tokens.filter(|_| self.counts_for_service());
        if let (Some(amount), Some((account, allowance))) = (needs.tokens, tokens_of(policy)) {
            match Account::new(shared, &account, allowance, now).hold(amount) {
                Ok((hold, standing)) => {
                    self.asking.tell_tokens(allowance.limit, standing);
                    self.asking.held.tokens = Some(Part { account, allowance, hold });
                }
                Err(Overdrawn(standing)) => {
                    self.asking.tell_tokens(allowance.limit, standing);
                    self.refuse(TOKENS, amount, allowance, standing);
                    return Err(too_many_tokens(&policy.name, amount, allowance, standing));
                }
            }
        }
        if let (Some(amount), Some((account, allowance))) = (needs.micro_usd, money_of(policy)) {
            match Account::new(shared, &account, allowance, now).hold(amount) {
                Ok((hold, _)) => {
                    self.asking.held.money = Some(Part { account, allowance, hold });
                }
                Err(Overdrawn(standing)) => {
                    self.record.budget_left_micro_usd = Some(standing.left);
                    self.refuse(BUDGET, amount, allowance, standing);
                    self.book(world, Used::Nothing);
                    return Err(exhausted(&policy.name, amount, allowance, standing));
                }
            }
        }
        Ok(())
    }

    /// Says when to come again, or that it is no use.
    fn refuse(&mut self, by: &'static str, amount: u64, allowance: Allowance, now: Standing) {
        self.record.limited_by = Some(by);
        match amount > allowance.limit {
            // OpenAI's clients know the header.
            true => self.asking.tell("x-should-retry", "false".to_owned()),
            false => self.asking.tell("retry-after", now.resets_in.to_string()),
        }
    }

    /// Books what the request has used, once it is over.
    pub(super) fn settle(&mut self, world: &dyn World, report: Option<&Report>) {
        let was_answered = self.record.time_to_first_byte_ms.is_some();
        let used = Used::of(report, was_answered);
        self.asking.tokens = self.asking.tokens.map(|held| used.tokens(held));
        self.book(world, used);
    }

    /// Tokens that the request has used, for a rate-limit service; once it is over.
    pub fn tokens(&self) -> Option<u64> {
        self.asking.tokens
    }

    pub(super) fn counts_for_service(&self) -> bool {
        self.registry.callers.as_ref().is_some_and(|callers| callers.rate_limit_service)
    }

    /// Takes what Envoy tells of the limit of requests out of an answer's headers, to tell it as
    /// OpenAI does.
    pub(super) fn note_requests(&mut self, headers: &mut Headers) {
        if self.counts_for_service() || self.asking.counted_as(false).is_none() {
            return;
        }
        for (name, own, unit) in [
            ("x-ratelimit-limit", "x-ratelimit-limit-requests", ""),
            ("x-ratelimit-remaining", "x-ratelimit-remaining-requests", ""),
            ("x-ratelimit-reset", "x-ratelimit-reset-requests", "s"),
        ] {
            // What a provider has set comes before.
            let values = headers.iter().filter(|(key, _)| *key == name);
            let Some((_, value)) = values.last() else { continue };
            let value = format!("{}{unit}", String::from_utf8_lossy(value));
            self.asking.tell(own, value);
            headers.remove(name);
        }
    }

    /// Notes that Envoy has refused the request, and when it may come again.
    pub(super) fn note_refusal(&mut self, details: &str, headers: &Headers) {
        self.record.limited_by = match details {
            "local_rate_limited" => Some(REQUESTS),
            "request_rate_limited" => Some(SERVICE),
            _ => return,
        };
        let told =
            ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
        for name in told {
            if let Some(value) = headers.text(name) {
                self.asking.tell(name, value.to_owned());
            }
        }
    }

    fn book(&mut self, world: &dyn World, used: Used) {
        let Held { tokens, money } = std::mem::take(&mut self.asking.held);
        let Some(shared) = world.shared() else { return };
        let now = seconds(world);
        if let Some(Part { account, allowance, hold }) = tokens {
            let used = used.tokens(hold.amount);
            self.record.booked_tokens = Some(used);
            Account::new(shared, &account, allowance, now).settle(hold, used);
        }
        if let Some(Part { account, allowance, hold }) = money {
            let used = match &used {
                Used::Nothing => 0,
                Used::Known(facts) => self.cost(facts).unwrap_or(hold.amount),
                Used::Unknown => hold.amount,
            };
            self.record.booked_micro_usd = Some(used);
            self.record.budget_left_micro_usd =
                Account::new(shared, &account, allowance, now).settle(hold, used);
        }
    }
}

impl Used {
    /// Tokens, of which so many were held back.
    fn tokens(&self, held: u64) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Known(facts) => facts.usage.map_or(held, |usage| usage.total_tokens()),
            Self::Unknown => held,
        }
    }

    /// What a report tells; `was_answered`: the client got an answer, by whomever.
    fn of(report: Option<&Report>, was_answered: bool) -> Self {
        let last = report.and_then(|report| report.attempts.last().map(|last| (report, last)));
        match last {
            Some((report, _)) if report.facts.usage.is_some() => Self::Known(report.facts.clone()),
            Some((_, last)) if (200..300).contains(&last.status) => Self::Unknown,
            // Whoever did not answer in time may have worked all the same.
            Some((_, last)) if matches!(last.status, 408 | 504) => Self::Unknown,
            Some(_) => Self::Nothing,
            // Envoy itself has answered, or the client has left before anybody could.
            None if was_answered => Self::Nothing,
            None => Self::Unknown,
        }
    }
}

impl Asking {
    /// Adds a header to the answer, whoever makes it.
    fn tell(&mut self, name: &'static str, value: String) {
        self.headers.push((name, value));
    }

    /// How the allowance of tokens stands, as OpenAI tells it.
    fn tell_tokens(&mut self, limit: u64, standing: Standing) {
        self.tell("x-ratelimit-limit-tokens", limit.to_string());
        self.tell("x-ratelimit-remaining-tokens", standing.left.to_string());
        self.tell("x-ratelimit-reset-tokens", format!("{}s", standing.resets_in));
    }
}

fn seconds(world: &dyn World) -> u64 {
    world.now() / 1_000_000_000
}

fn too_many_tokens(name: &str, amount: u64, allowance: Allowance, now: Standing) -> Error {
    let message = "Portkey Error: Rate Limit Exceeded. Error Code: 05";
    let (limit, left) = (allowance.limit, now.left);
    let hint = match amount > limit {
        true => format!(
            "{name:?} may use {limit} tokens a minute, and this request may use {amount}: make it \
             or its max_tokens smaller"
        ),
        false => format!(
            "{name:?} may use {limit} tokens a minute, {left} are left, and this request may use \
             {amount}: try again in {} s",
            now.resets_in
        ),
    };
    Error::client(429, "rate_limit_exceeded", message).with_kind("tokens").with_hint(hint)
}

/// No 429: clients would try that again at once.
fn exhausted(name: &str, amount: u64, allowance: Allowance, now: Standing) -> Error {
    let message = "Portkey Error: Portkey API Key Usage Limit Exceeded. Error Code: 04";
    let per = word(allowance.per);
    let usd = |micro: u64| format!("{}.{:06} USD", micro / 1_000_000, micro % 1_000_000);
    let hint = format!(
        "{name:?} may spend {} a {per}, {} are left, and this request may cost {}; the next {per} \
         begins in {} s",
        usd(allowance.limit),
        usd(now.left),
        usd(amount),
        now.resets_in
    );
    Error::client(412, "budget_exceeded", message).with_kind("insufficient_quota").with_hint(hint)
}

fn unpriced(model: Option<&str>) -> Error {
    let hint = match model {
        Some(model) => {
            let model: String = model.chars().take(128).collect();
            format!("the caller has a budget, and the price of {model:?} is not known here")
        }
        None => "the caller has a budget, and it cannot be told what this would cost".to_owned(),
    };
    Error::client(403, "unpriced_model", FORBIDDEN).with_hint(hint).with_param("model")
}
