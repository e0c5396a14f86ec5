// Backstage's published Quay plugins, called as Backstage calls them.
//
//   node backstage.cjs FOLDER URL TOKEN create ORG NAME     make a repository with the scaffolder's action
//   node backstage.cjs FOLDER URL TOKEN show ORG NAME TAG   what the plugin's pages ask for, as one JSON object
const { join } = require('node:path');

const [folder, url, token, what, org, name, tag] = process.argv.slice(2);
const plugin = file => require(join(folder, 'node_modules/@backstage-community', file));

async function create() {
  const { createQuayRepositoryAction } = plugin('plugin-scaffolder-backend-module-quay/dist/actions/createQuayRepository.cjs.js');
  const output = {};
  await createQuayRepositoryAction().handler({
    input: { token, baseUrl: url, namespace: org, name, visibility: 'private', description: 'made by a template', repoKind: 'image' },
    output: (key, value) => { output[key] = value; },
  });
  return output;
}

async function show() {
  const { QuayService } = plugin('plugin-quay-backend/dist/services/QuayService.cjs.js');
  const refused = [];
  const service = new QuayService([{ name: 'here', apiUrl: url, token }], { error: text => refused.push(text) });
  const { tags } = await service.getTags('here', org, name, 1, 10, tag);
  const digest = tags[0].manifest_digest;
  return {
    tags,
    manifest: await service.getManifestByDigest('here', org, name, digest),
    labels: await service.getLabels('here', org, name, digest),
    security: await service.getSecurityDetails('here', org, name, digest).catch(error => String(error)),
    refused,
  };
}

({ create, show })[what]().then(
  result => console.log(JSON.stringify(result)),
  error => { console.error(String(error)); process.exitCode = 1; },
);
