// One spelling of mathematics for many: what only changes the look goes, Unicode becomes commands, broken LaTeX is mended.

const UNICODE: Readonly<Record<string, string>> = {
  ...{
    '−': '-',
    '–': '-',
    '—': '-',
    '×': '\\times ',
    '·': '\\cdot ',
    '⋅': '\\cdot ',
    '∙': '\\cdot ',
    '÷': '/',
    '∕': '/',
    '⁄': '/',
  },
  ...{
    '≤': '\\le ',
    '≥': '\\ge ',
    '≠': '\\ne ',
    '≈': '\\approx ',
    '∈': '\\in ',
    '∪': '\\cup ',
    '∩': '\\cap ',
    '∖': '\\setminus ',
  },
  ...{
    '∞': '\\infty ',
    '√': '\\sqrt ',
    π: '\\pi ',
    '°': '^\\circ ',
    '±': '\\pm ',
    '∓': '\\mp ',
    '∅': '\\emptyset ',
    '′': "'",
    '’': "'",
  },
  ...{
    '²': '^{2}',
    '³': '^{3}',
    '⁴': '^{4}',
    '½': '\\frac{1}{2}',
    '¼': '\\frac{1}{4}',
    '¾': '\\frac{3}{4}',
    '⅓': '\\frac{1}{3}',
    '⅔': '\\frac{2}{3}',
  },
  ...{
    α: '\\alpha ',
    β: '\\beta ',
    γ: '\\gamma ',
    θ: '\\theta ',
    λ: '\\lambda ',
    φ: '\\phi ',
    ω: '\\omega ',
    μ: '\\mu ',
    σ: '\\sigma ',
  },
  ...{
    ℝ: '\\mathbb{R}',
    ℤ: '\\mathbb{Z}',
    ℕ: '\\mathbb{N}',
    '€': '\\$',
    '£': '\\$',
    '¥': '\\$',
    '，': ',',
    '；': ';',
    '：': ':',
    '％': '%',
    '（': '(',
    '）': ')',
  },
  ...{
    '\u00a0': ' ',
    '\u2009': ' ',
    '\u202f': ' ',
    '\u200b': '',
    '\u2061': '',
    '…': '\\ldots ',
    '→': '\\to ',
    '⌊': '\\lfloor ',
    '⌋': '\\rfloor ',
  },
};

const commands = (names: string): string => `\\\\(?:${names.trim().split(/\s+/).join('|')})(?![a-zA-Z])`;

/** Commands that only change the look of what follows. */
const STYLES = new RegExp(
  `${commands(`
    displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits mathstrut strut bigl bigr Bigl Bigr biggl biggr Biggl Biggr
    big Big bigg Bigg left right middle rm bf it hfill noindent centering large Large small`)}\\s*\\.?`,
  'g',
);
const SPACES = new RegExp(
  [
    /\\(?:quad|qquad|enspace|thinspace|,|;|:|!|>|\s)/.source,
    /\\hspace\{[^{}]*\}|\\phantom(?:\{[^{}]*\}|(?![a-zA-Z]))|~/.source,
    commands('triangle angle'),
  ].join('|'),
  'g',
);
const FONTS = new RegExp(
  `${commands(`
    mathbf mathit mathsf mathtt mathcal boldsymbol bm vec hat bar widehat mathop operatorname\\*? ensuremath mathord mathrel`)}\\s*`,
  'g',
);

/** Full-width digits and letters as plain ones. */
const narrow = (text: string): string =>
  text.replace(/[\uff01-\uff5e]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0));

/** Cleans a piece of LaTeX or plain mathematics. Keeps \text{} and line breaks of matrices. */
export function normalize(source: string): string {
  // Units that Unicode spells: 8 m².
  let s = narrow(
    source.replace(/(?<=\d)\s?(?:mm|cm|dm|km|ft|in|yd|m)[²³]/g, '').replace(/[\u0080-\uffff]/g, (c) => UNICODE[c] ?? c),
  );
  s = s.replace(/\\\\\[[^\]]*\]/g, '\\\\ ');
  s = s.replace(
    /\^?\s*\{?\s*\\(?:text|mathrm|textrm)\s*\{\s*(?:th|st|nd|rd)\s*\}\s*\}?|(?<=\d)\s?(?:th|st|nd|rd)\b/g,
    ' ',
  );
  s = s.replace(/\\(begin|end)([pbvBV]?matrix)/g, '\\$1{$2}');
  // Thousands: 14{,}916 and 14,\!916 and 1\,000.
  s = s
    .replace(/\{\s*,\s*\}/g, ',')
    .replace(/,\s*\\[!,]\s*/g, ',')
    .replace(/(\d)\\[,;](?=\d{3}(?!\d))/g, '$1');
  s = s.replace(/\{\s*([.:])\s*\}/g, '$1');
  // A row's end must not be taken for a space.
  s = s
    .replace(/\\\\/g, '\ue000')
    .replace(SPACES, ' ')
    .replace(/\ue000/g, '\\\\');
  // Where \left( ... \right. lost its partner, the dot is nothing.
  s = s.replace(STYLES, ' ');
  s = s
    .replace(/\\(?:dfrac|tfrac|cfrac|nicefrac|sfrac)(?![a-zA-Z])/g, '\\frac')
    .replace(/\\(?:dbinom|tbinom)/g, '\\binom');
  s = s.replace(FONTS, ' ');
  s = s.replace(/\\(?:leq|leqslant|leqq)(?![a-zA-Z])/g, '\\le').replace(/\\(?:geq|geqslant|geqq)(?![a-zA-Z])/g, '\\ge');
  s = s
    .replace(/\\(?:neq)(?![a-zA-Z])/g, '\\ne')
    .replace(/\\lt(?![a-zA-Z])/g, '<')
    .replace(/\\gt(?![a-zA-Z])/g, '>');
  s = s.replace(/\\(?:lbrace|rbrace)(?![a-zA-Z])/g, (m) => (m === '\\lbrace' ? '\\{' : '\\}'));
  s = s.replace(/\\(?:lbrack|rbrack)(?![a-zA-Z])/g, (m) => (m === '\\lbrack' ? '[' : ']'));
  s = s.replace(/\\(?:lvert|rvert|vert|mid)(?![a-zA-Z])/g, '|').replace(/\\(?:varnothing)(?![a-zA-Z])/g, '\\emptyset');
  s = s
    .replace(/\\(?:union)(?![a-zA-Z])/g, '\\cup')
    .replace(/\\(?:smallsetminus|backslash)(?![a-zA-Z])/g, '\\setminus');
  s = s
    .replace(/\^\s*\{?\s*\\(?:circ|degree)\s*\}?|\\degree(?![a-zA-Z])/g, '^\\circ ')
    .replace(/\\(?:infin|infinity)(?![a-zA-Z])/g, '\\infty');
  s = s.replace(/\\(?:color|textcolor)\{[^{}]*\}/g, ' ').replace(/\\(?:label|tag\*?)\{[^{}]*\}/g, ' ');
  s = s.replace(/\\(?:ldots|dots|cdots|dotsc)(?![a-zA-Z])|\.{3,}/g, '\\ldots ');
  // (1, 2)or(2, 1), x=1orx=2
  s = s.replace(/(?<=[\d)\]}])(or|and)(?=[([{\d\\-]|[a-zA-Z](?![a-z]))/g, ' $1 ');
  s = s
    .replace(/\\(?:fbox|boxed)(?![a-zA-Z])/g, ' ')
    .replace(/\\mathbb\s*([A-Z])/g, '\\mathbb{$1}')
    .replace(/\\mathbb\{([A-Z])\}/g, '\\mathbb{$1}');
  s = s
    .replace(/\*\*/g, '^')
    .replace(/&(?:amp;)?=/g, '=')
    .replace(/\\%/g, '%')
    .replace(/\\#/g, '#');
  return s.trim();
}
