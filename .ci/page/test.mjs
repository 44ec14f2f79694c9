// The demo's page and its report in headless Chromium: test.mjs TREFOIL CHROMIUM RUN_DIR [PICTURES]. By keyboard, in both colour schemes and on a phone; nothing
// asked of another host, nothing refused by the policy, nothing serious found by axe-core. With PICTURES it writes page-light.webp, report-light.webp and those in dark there.

import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [trefoil, executablePath, runDir, pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Chromium alone, without what it does for its maker.
const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath, args: quiet });
const started = Date.now();
const env = { ...process.env };
delete env.DISPLAY;
delete env.WAYLAND_DISPLAY;
const demo = spawn(trefoil, ["demo", "--open", "--json", "--run-dir", runDir], { env, stdio: ["ignore", "ignore", "pipe"] });
const ended = new Promise((resolve) => demo.on("exit", resolve));
let said = "";
const link = new Promise((resolve, reject) => {
  demo.stderr.on("data", (text) => {
    said += text;
    const found = /^page: (\S+)/m.exec(said);
    if (found) resolve(found[1]);
  });
  ended.then(() => reject(new Error(`the demo has ended: ${said}`)));
});

// In both colour schemes and on a phone, what axe-core says, and that nothing is wider than the screen; and pictures that end with the element that `last` gives.
async function looks(page, name, last) {
  for (const [scheme, width, height] of [["light", 1200, 900], ["dark", 1200, 900], ["light", 360, 740]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is wider than ${width}`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run());
    const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], `${name}, ${scheme}, ${width} wide`);
    if (pictures && width === 1200) {
      const bottom = await page.evaluate(`Math.ceil((${last})().getBoundingClientRect().bottom + scrollY + 14)`);
      const session = await page.context().newCDPSession(page);
      const clip = { x: 0, y: 0, width: 1200, height: bottom, scale: 1 };
      const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 88, clip, captureBeyondViewport: true });
      writeFileSync(`${pictures}/${name}-${scheme}.webp`, Buffer.from(data, "base64"));
    }
  }
}

try {
  const url = new URL(await link);
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, colorScheme: "light" });
  const wrong = [];
  page.on("request", (request) => new URL(request.url()).host === url.host || wrong.push(`asks ${request.url()}`));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(error.message));
  await page.goto(url.href);
  // The link is exchanged for a cookie, and is gone from the address.
  await page.waitForURL(`${url.origin}/`);

  const stranger = await browser.newContext();
  assert.equal((await (await stranger.newPage()).goto(url.href)).status(), 401);
  await stranger.close();

  await page.waitForFunction(() => document.querySelectorAll("#record canvas").length === 7, null, { timeout: 60_000 });
  // What is focused, after a key.
  const press = async (key) => {
    await page.keyboard.press(key);
    return page.evaluate(() => document.activeElement.value ?? document.activeElement.id ?? document.activeElement.className);
  };
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "pool");
  await press("Space");
  assert.equal(await page.locator("#pool").getAttribute("aria-pressed"), "true");
  // Owner's, P0's and P2's are the record now, P1's two are noise.
  assert.equal(await page.locator("#record canvas").count(), 5);
  await press("Space");
  assert.equal(await press("Tab"), "P0");
  assert.equal(await press("ArrowRight"), "P1");
  assert.equal(await press("ArrowRight"), "P2");
  await page.waitForFunction(() => document.querySelector("#curves").textContent.includes("P2 is shown no loss"));
  assert.equal(await press("ArrowLeft"), "P1");
  assert.equal(await press("ArrowLeft"), "P0");

  // While it trains the page moves: a step, a loss.
  await page.waitForFunction(() => document.querySelectorAll("#curves svg polyline").length >= 2, null, { timeout: 90_000 });
  await page.waitForFunction(() => document.querySelector("#results").textContent.includes("on shares"), null, { timeout: 120_000 });
  await page.waitForFunction(() => document.querySelector("#job-about").textContent.startsWith("trained"));
  const shown = await page.evaluate(() => document.body.innerText);
  for (const word of ["owner-1", "in the clear", "party P2 (P2)", "trained", "digits"]) assert.ok(shown.includes(word), `${word} is not in ${shown}`);

  await looks(page, "page", () => document.querySelector("#cost").closest(".two"));
  assert.deepEqual(wrong, []);
  demo.kill("SIGINT");
  assert.equal(await ended, 0, said);
  await page.waitForFunction(() => document.querySelector("#live").className === "off");

  const report = await browser.newPage();
  const asked = [];
  report.on("request", (request) => asked.push(request.url()));
  report.on("console", (message) => asked.push(message.text()));
  await report.goto(`file://${runDir}/report.html`);
  assert.ok((await report.innerText("body")).includes("98."), "the report has no accuracy");
  await looks(report, "report", () => document.querySelector("section"));
  assert.deepEqual(asked, [report.url()]);
  console.log(`the page and the report in Chromium: nothing serious, nothing from elsewhere, ${((Date.now() - started) / 1000).toFixed(0)} s`);
} finally {
  demo.kill("SIGKILL");
  await browser.close();
}
