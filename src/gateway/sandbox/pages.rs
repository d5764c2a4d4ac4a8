//! Pages: what the shopper sees at the sandbox, as a real gateway would show it on its own site.
//!
//! Works without script. Nothing typed here reaches the shop; the shop reads the outcome from the ledger.

use super::cards;
use super::ledger::Page;
use super::{PAGES, Sandbox, SandboxError};
use crate::gateway::RemoteState;

/// A request to one of the sandbox's pages.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<'a> {
    /// Path from the root, below `PAGES`.
    pub path: &'a str,
    /// Whether it is a POST (anything else reads).
    pub post: bool,
    /// The form body; empty for a GET.
    pub form: &'a [(String, String)],
}

/// What a page answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageReply {
    /// A page with its status.
    Html {
        /// 200, 404 or 422.
        status: u16,
        /// The page.
        body: String,
    },
    /// 303 to here.
    Redirect(String),
}

impl Sandbox {
    /// Answers for one of the sandbox's own pages.
    ///
    /// Errors: the ledger file cannot be used.
    pub async fn respond(&self, request: PageRequest<'_>) -> Result<PageReply, SandboxError> {
        let reference = request.path.strip_prefix(PAGES).unwrap_or_default().to_owned();
        let Some(page) = self.page(&reference).await? else {
            let body = frame("No such payment", "<p>There is no payment under this address.</p>");
            return Ok(PageReply::Html { status: 404, body });
        };
        if page.payment.state != RemoteState::Open {
            return Ok(PageReply::Redirect(page.return_url));
        }
        if !request.post {
            return Ok(PageReply::Html { status: 200, body: paying_page(&page, None) });
        }
        let field = |name: &str| request.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (field("step"), field("number")) {
            (Some("leave"), _) => self.ask(move |ledger| ledger.leave(&reference)).await?,
            (Some(step @ ("authenticate" | "refuse")), _) => {
                let passed = step == "authenticate";
                self.ask(move |ledger| ledger.finish_second_step(&reference, passed)).await?;
            }
            (_, number) => match cards::judge(number.unwrap_or_default()) {
                Err(error) => {
                    let body = paying_page(&page, Some(&error.to_string()));
                    return Ok(PageReply::Html { status: 422, body });
                }
                Ok(card) => {
                    self.ask(move |ledger| ledger.present(&reference, &card)).await?;
                    // A card with a second step leaves the payment open: its page now shows that step.
                    return Ok(PageReply::Redirect(format!("{}{}", self.base_url, request.path)));
                }
            },
        }
        Ok(PageReply::Redirect(page.return_url))
    }

    async fn page(&self, reference: &str) -> Result<Option<Page>, SandboxError> {
        let reference = reference.to_owned();
        Ok(self.ask(move |ledger| ledger.page(&reference)).await?)
    }
}

fn paying_page(page: &Page, error: Option<&str>) -> String {
    let amount = escape(&page.payment.amount.to_string());
    let description = escape(&page.description);
    let head = format!("<p class=sum><span>{description}</span> <strong>{amount}</strong></p>");
    let leave = "<form method=post><button name=step value=leave class=quiet>Go back without paying</button></form>";
    let main = if page.second_step.is_some() {
        "<form method=post><p>Your bank wants to know that it is you.</p>\
         <button name=step value=authenticate>Yes, it is me</button> \
         <button name=step value=refuse class=quiet>Refuse</button></form>"
            .to_owned()
    } else {
        let told = error.map_or(String::new(), |text| format!("<p class=error role=alert id=why>{}</p>", escape(text)));
        let described = if error.is_some() { " aria-invalid=true aria-describedby=why" } else { "" };
        format!(
            "<form method=post>{told}<label for=number>Card number</label>\
             <input id=number name=number inputmode=numeric autocomplete=cc-number required maxlength=30{described} \
             placeholder='4242 4242 4242 4242'><button>Pay {amount}</button></form>"
        )
    };
    let help = "<details><summary>Test card numbers</summary><dl>\
        <dt>4242 4242 4242 4242<dd>is accepted\
        <dt>4000 0000 0000 0002<dd>is declined\
        <dt>4000 0000 0000 9995<dd>has too little money\
        <dt>4000 0000 0000 0069<dd>has run out\
        <dt>4000 0027 6000 3184<dd>asks for a second step\
        </dl></details>";
    frame("Sandbox payment", &format!("{head}{main}{leave}{help}"))
}

fn frame(title: &str, main: &str) -> String {
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <meta name=robots content=noindex><link rel=icon href='data:,'><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><p class=note>Sandbox: no money moves here.</p><h1>{title}</h1>{main}</main></body></html>"
    )
}

const STYLE: &str = "@view-transition{navigation:auto}:root{color-scheme:light dark}*{box-sizing:border-box}\
    body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:#eef1f6;color:#1b2430}\
    main{max-width:26rem;margin:6vh auto;padding:1.5rem;background:#fff;border-radius:14px;box-shadow:0 1px 3px #0003}\
    h1{font-size:1.3rem;margin:.2rem 0 1rem}.note{margin:0;color:#7a4a00;font-size:.9rem}\
    .sum{display:flex;justify-content:space-between;gap:1rem;border-block:1px solid #d5dbe5;padding:.7rem 0}\
    label{display:block;margin:.6rem 0 .2rem}input,button{font:inherit;width:100%;min-height:46px;border-radius:9px;padding:.5rem .8rem}\
    input{border:1px solid #76839a;background:transparent;color:inherit}\
    button{margin-top:.8rem;border:0;background:#2b4acb;color:#fff;font-weight:600;cursor:pointer}\
    .quiet{background:transparent;color:inherit;border:1px solid #76839a;font-weight:400}\
    .error{color:#b3261e;margin:0 0 .5rem}details{margin-top:1.2rem;font-size:.9rem}summary{min-height:44px;padding:.7rem 0;cursor:pointer}\
    dl{margin:0}dt{font-variant-numeric:tabular-nums}dd{margin:0 0 .5rem}\
    :focus-visible{outline:3px solid #2b4acb;outline-offset:2px}\
    @media(prefers-color-scheme:dark){body{background:#11151c;color:#e6eaf1}main{background:#1b212b}.note{color:#f0c27a}\
    .error{color:#ffb4ab}.sum{border-color:#394252}:focus-visible{outline-color:#9db2ff}}\
    @media(prefers-reduced-motion:reduce){@view-transition{navigation:none}}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
