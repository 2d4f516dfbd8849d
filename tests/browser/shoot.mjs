// node shoot.mjs ADDRESS CHROMIUM SCENES.json FOLDER: opens ADDRESS/page.html in a browser without a screen and writes
// FOLDER/NAME.png for each scene of {NAME: scene} (page.js says what a scene is).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [address, executablePath, scenes, folder] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'glrast-browser-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: [
    '--no-sandbox', // a container's root has none
    '--disable-gpu', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', // WebGL on the processor
    '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync',
  ],
});
try {
  const page = await browser.newPage();
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !/GPU stall|GL Driver/.test(message.text())) wrong.push(message.text());
  });
  page.on('requestfailed', (request) => wrong.push(`${request.url()}: ${request.failure()?.errorText}`));
  await page.goto(`${address}/page.html`);
  await page.waitForFunction('window.ready', null, { timeout: 30000 });
  for (const [name, scene] of Object.entries(JSON.parse(readFileSync(scenes, 'utf8')))) {
    const picture = await page.evaluate((given) => window.show(given), scene);
    if (wrong.length) throw new Error(`${name}: ${wrong.join('; ')}`);
    writeFileSync(join(folder, `${name}.png`), Buffer.from(picture.split(',')[1], 'base64'));
  }
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
