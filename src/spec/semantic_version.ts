// SPDX-License-Identifier: Apache-2.0

/** Is this a version in the form of SemVer 2.0.0: `1.3.0`, `1.0.2-dev`, `1.0.0-rc.1+build.5`? */
export function isSemanticVersion(version: string): boolean {
  const plus = version.indexOf("+");
  const build = plus < 0 ? undefined : version.slice(plus + 1);
  const rest = plus < 0 ? version : version.slice(0, plus);
  const minus = rest.indexOf("-");
  const prerelease = minus < 0 ? undefined : rest.slice(minus + 1);
  const core = (minus < 0 ? rest : rest.slice(0, minus)).split(".");
  return (
    core.length === 3 &&
    core.every(isNumber) &&
    (prerelease === undefined || prerelease.split(".").every((part) => isIdentifier(part) && !isPaddedNumber(part))) &&
    (build === undefined || build.split(".").every(isIdentifier))
  );
}

function isNumber(text: string): boolean {
  return isDigits(text) && !isPaddedNumber(text);
}

/** Digits with a leading zero: not allowed in numbers, and so not in numeric prerelease identifiers. */
function isPaddedNumber(text: string): boolean {
  return text.length > 1 && text.startsWith("0") && isDigits(text);
}

function isDigits(text: string): boolean {
  return text !== "" && hasOnly(text, "0123456789");
}

function isIdentifier(text: string): boolean {
  return text !== "" && hasOnly(text, "0123456789-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

function hasOnly(text: string, allowed: string): boolean {
  for (const character of text) if (!allowed.includes(character)) return false;
  return true;
}
