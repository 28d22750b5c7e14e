/** Every sort of pattern on one tree: the same paths as node:fs, in the same order. */
import { describe } from "node:test";
import { outcome } from "../../../support/oracle/works.js";
import { suite, type Work } from "../both.js";
import { find, plant } from "./trees.js";

const { same, sameEach } = suite(import.meta.url, plant);

/** Patterns between spaces. */
function words(...lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split(" "));
}

function each(patterns: readonly string[], below = ""): Work {
  return (fs, dir) =>
    Object.fromEntries(
      patterns.map((pattern) => {
        const found = outcome(() => find(fs, pattern.replaceAll("DIR", dir), { cwd: dir + below }));
        return [pattern, found];
      }),
    );
}

const CLASSES = words("alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit no");

describe("glob: names", () => {
  sameEach("stars and question marks", each(words("* ? ?? *.txt t* *o* *** *.* ?* *? t*.t?t **.txt a**b *b*b")));
  sameEach("dots", each(words(".* ..* ... . .. ./ ../ .?* .d* [.]dot ?dot [.a]* *(.)dot @(.dot|a) !(x)dot")));
  sameEach(
    "plain names",
    each([...words("one.txt missing a a/ one.txt/ empty empty/ to-a to-a/ dangling dangling/ self"), "", " "]),
  );
  sameEach(
    "brackets",
    each(
      words("[a-c]* [!a]* [^a]* [ab] [a [] [!] []a]* [a-]* [-a]* [z-a]* [a-a]b [*] [?] a[[]b [{]* []-a]b [!a-c]*"),
      "/odd",
    ),
  );
  sameEach(
    "classes with names",
    each(
      CLASSES.flatMap((name) =>
        words(`[[:${name}:]]* *[[:${name}:]] [![:${name}:]]* [[:${name}:]x] [[:${name}:]][[:${name}:]]*`),
      ),
      "/odd",
    ),
  );
  sameEach(
    "other characters",
    each(
      [
        ...words("ünï ?nï [ü]* 😀 ? ?? [😀] [[:alpha:]😀] new?line #x !x $x - ^ ..x ... _"),
        "new\nline",
        "*\n*",
        "sp ace",
      ],
      "/odd",
    ),
  );
  sameEach(
    "names that are patterns",
    each(words("a[[]b [*] { {a,b} [{]a,b[}] () @(a) [@](a) back\\slash back?slash *\\ \\"), "/odd"),
  );
  sameEach("bytes that are no UTF-8", each(words("f* d* d*/* **/in f\ufffd f?"), "/odd"));
});

const KINDS = words("@ ? * + !");

describe("glob: extended globs", () => {
  const inner = [...words("a|b a * a*|*b |a a| .dot|a a?b|[xy] *.txt|*.js"), ""];
  for (const kind of KINDS) {
    sameEach(
      `${kind}(...)`,
      each(inner.flatMap((text) => words(`${kind}(${text}) ${kind}(${text})b a${kind}(${text}) .${kind}(${text})`))),
    );
  }
  sameEach(
    "within each other",
    each([
      ...KINDS.flatMap((outer) =>
        KINDS.flatMap((kind) => words(`${outer}(${kind}(a|b)) ${outer}(${kind}(a)b|one*) ${outer}(x|${kind}(a|))*`)),
      ),
      ...KINDS.map((kind) => `@(!(+(${kind}(a|b)|c)b)|t*)*`),
    ]),
  );
  sameEach(
    "several",
    each(
      words(
        "!(a)!(b) !(a)*!(b) @(a|t)@(b|wo*) +(a)+(b) *(a)b !(*.txt|*.js) !(a|b)/* !(.*) a!(b) !(!(a)) !(@(a|b))",
        "@(!(a)|b) !(a)@()b",
      ),
    ),
  );
  sameEach(
    "that do not end",
    each(words("@(a !(a|b *(a a@(b *(a/b) @(a/b) @( @() !() ?() *() +() @(|) (a|b) a) @(a))")),
  );
});

describe("glob: braces", () => {
  sameEach(
    "lists",
    each(
      words(
        "{one,two}.txt {a,b} {a,}b {,a}b {a,b.dir}/* {a,a} {b,a} {*.js,*.txt} {one,{two,three}}.* {a/c,b.dir}/**",
        "{a/**,b} {*,a} {**,a}",
      ),
    ),
  );
  sameEach(
    "that are none",
    each(words(`{a} {} {}a {a a} {,} {a,b a,b} \${a,b} {{a,b} {a}},b} {a},b} {a,b}} {{a}} x{{a,b}}y`), "/odd"),
  );
  sameEach(
    "ranges",
    each(
      words("{a..c} {1..3} {c..a} {a..c..2} {01..3} {a..} {1..a} {Y..c} +{0..2} {-1..1} {a..b}{a..b} {a..c}*"),
      "/odd",
    ),
  );
});

describe("glob: paths", () => {
  sameEach(
    "of several parts",
    each(
      words(
        "a/* a/c/d/* */* */*/* */ */b.txt a//b.txt a/./b.txt ./a/* ././* a/*/ one.txt/* missing/* to-a/* loop/*",
        "loop/loop/a/* dangling/* self/* locked/* absolute/*",
      ),
    ),
  );
  sameEach(
    "globstars",
    each(
      words(
        "** **/ **/* */** a/** a/**/ **/*.txt **/deep.txt **/.* **/.hidden **/.d/** **/c/** **/** **/**/b.txt ./**",
        "./**/*.txt **/d/**/* a/**/d a/**/c/**/deep* empty/** one.txt/** missing/** to-a/** loop/** */**/*.txt",
        "**/to-a **/to-a/* **/up/* .*/** {a,**}/b.txt",
      ),
    ),
  );
  sameEach(
    "parents",
    each(
      words(
        ".. a/.. a/../* a/../b a/c/../../* */../* */.. a/*/.. **/.. a/**/.. a/**/../b.txt a/**/../c/d a/**/../*/d/*",
        "a/../** ./a/../* missing/../* to-a/../* a/up/a/*",
      ),
    ),
  );
  sameEach("absolute", each(words("DIR DIR/ DIR/* DIR/**/*.txt DIR/a/../* DIR/missing DIR//a / // /./ DIR/{a,b}*")));
  sameEach("with backslashes", each(words("a\\b.txt DIR\\a\\* a\\* .\\a a\\\\c \\a")));
});

describe("glob: several patterns", () => {
  const lists = [
    ...words("a,a *.txt,one.txt b,a a/*,a/** **,**/ **/,** ./**,** **,./** */c,**/c,a a/c/*,a/*/d **/..,** ../*,."),
    "",
  ];
  sameEach("in their order", (fs, dir) =>
    Object.fromEntries(lists.map((list) => [list, outcome(() => find(fs, list.split(","), { cwd: `${dir}/a` }))])),
  );
  same("none", (fs) => find(fs, []));
  same("a list that is changed by its accessors", (fs, dir) => {
    const list = ["a"];
    Object.defineProperty(list, 1, { get: () => "b", enumerable: true });
    return find(fs, list, { cwd: dir });
  });
});
