/** Quotes texts for HCL, the language of Terraform. */

const ESCAPES: Readonly<Record<string, string>> = {
  '"': String.raw`\"`,
  '\\': String.raw`\\`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
}

/** Returns the text as a string literal, in which `${` and `%{` begin no template. */
export function quoteHcl(text: string): string {
  const escaped = text
    .replaceAll(/["\\\p{Cc}\u2028\u2029]/gu, (sign) => ESCAPES[sign] ?? escapeUnicode(sign))
    .replaceAll(/[$%](?=\{)/g, (sign) => sign + sign)
  return `"${escaped}"`
}

function escapeUnicode(sign: string): string {
  return String.raw`\u` + sign.charCodeAt(0).toString(16).padStart(4, '0')
}
