// What another implementation of CLDR, the one in Node, says of amounts and numbers: `node tests/it/theme/intl.mjs > tests/it/theme/intl.json`.
// tests/it/locales.rs holds theme::locale against it.
const languages = [
  'ar', 'bg', 'ca', 'cs', 'da', 'de', 'de-AT', 'de-CH', 'el', 'en', 'en-IE', 'en-IN', 'en-US', 'es', 'es-419', 'es-AR', 'es-BO', 'es-CL', 'es-CO', 'es-CR',
  'es-EC', 'es-ES', 'es-GT', 'es-MX', 'es-PE', 'es-PR', 'es-PY', 'es-US', 'es-UY', 'es-VE', 'et', 'eu', 'fi', 'fr', 'fr-BE', 'fr-CA', 'fr-CH', 'fr-LU', 'ga',
  'gl', 'he', 'hi', 'hr', 'hu', 'id', 'is', 'it', 'it-CH', 'ja', 'ko', 'lt', 'lv', 'mt', 'nb', 'nl', 'nl-BE', 'no', 'pl', 'pt', 'pt-BR', 'pt-PT', 'ro', 'ru',
  'sk', 'sl', 'sr', 'sv', 'th', 'tr', 'uk', 'vi', 'zh',
];
const amounts = [['EUR', 1290], ['EUR', 129900], ['EUR', 1234567890], ['CHF', 1234567]];
const found = {};
for (const language of languages) {
  const money = amounts.map(([currency, minor]) => {
    const format = new Intl.NumberFormat(language, { style: 'currency', currency, currencyDisplay: 'narrowSymbol' });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  });
  const number = new Intl.NumberFormat(language);
  found[language] = { money, counts: [1234, 1234567].map((count) => number.format(count)), decimal: number.format(5.5) };
}
console.log(JSON.stringify({ cldr: process.versions.cldr, amounts, languages: found }, null, 1).replaceAll(/\[\s+([^\]]*?)\s+\]/g, (_, list) => `[${list.replaceAll(/\s*\n\s*/g, ' ')}]`));
