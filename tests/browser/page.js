// What three.js shows of a model file: `show(scene)` gives the picture as a PNG in a data: address.
import * as THREE from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
import { MTLLoader } from 'three/addons/loaders/MTLLoader.js';
import { OBJLoader } from 'three/addons/loaders/OBJLoader.js';

// scene: file (glb or obj), mtl (of an obj, or null), camera ([4][4] camera to world, OpenGL's axes), fov_rad (across),
// size [height, width], background [r,g,b] in bytes.
window.show = async ({ file, mtl, camera, fov_rad, size: [height, width], background }) => {
  const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
  renderer.setSize(width, height, false);
  renderer.toneMapping = THREE.NoToneMapping;
  renderer.outputColorSpace = THREE.SRGBColorSpace;
  const scene = new THREE.Scene();
  scene.background = new THREE.Color(`rgb(${background.join(',')})`);
  const model = await load(file, mtl);
  model.traverse((part) => { if (part.isMesh) part.material = baseColor(part.material); });
  scene.add(model);
  const fov = 2 * Math.atan(Math.tan(fov_rad / 2) * height / width) * 180 / Math.PI;
  const eye = new THREE.PerspectiveCamera(fov, width / height, 0.05, 100);
  new THREE.Matrix4().set(...camera.flat()).decompose(eye.position, eye.quaternion, eye.scale);
  renderer.render(scene, eye);
  const picture = renderer.domElement.toDataURL('image/png');
  renderer.dispose();
  renderer.forceContextLoss();
  return picture;
};

async function load(file, mtl) {
  if (file.endsWith('.glb')) return (await new GLTFLoader().loadAsync(file)).scene;
  const loader = new OBJLoader();
  if (mtl) {
    const materials = await new MTLLoader().loadAsync(mtl);
    materials.preload();
    loader.setMaterials(materials);
    // preload() does not wait for the pictures
    await Promise.all(Object.values(materials.materials).map(({ map }) => map && decoded(map)));
  }
  return loader.loadAsync(file);
}

async function decoded(map) {
  while (!map.image) await new Promise((next) => setTimeout(next, 5));
  if (map.image.decode) await map.image.decode();
}

// The material's base colour alone, as a lamp would not change it.
function baseColor(material) {
  if (Array.isArray(material)) return material.map(baseColor);
  const { color, map, vertexColors, alphaTest, transparent, opacity, side, depthWrite, name } = material;
  const given = { color, map, vertexColors, alphaTest, transparent, opacity, side, depthWrite, name };
  return material.isMeshBasicMaterial ? material : new THREE.MeshBasicMaterial(given);
}

window.ready = true;
