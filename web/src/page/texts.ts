/** Every sentence of the page, in English and in Chinese. */

const english = {
  title: "A GAN writes",
  titleOfPictures: "A GAN draws",
  intro: "A small network learned to draw from pictures alone. All of it runs on this page: nothing is sent anywhere.",
  tabs: "Views",
  tabWrite: "Write",
  tabExplore: "Explore",
  tabHand: "Your hand",
  tabLearn: "Learn",
  language: "中文",
  theme: "Light or dark",
  loading: "Loading the networks…",
  broken: "This page could not start: {reason}",
  damaged: "This page could not start, because its file is damaged or incomplete. Get it again.",
  failed: "This did not work: {reason}",
  writeTitle: "Write by hand",
  writeText: "A number, a date or a sum",
  writeHint: "Digits, . , - : / + and space; d stands for any digit.",
  writeStrange: "This cannot be written: {characters}",
  writeTooLong: "At most {longest} characters.",
  seed: "Seed",
  seedWrong: "A seed is a whole number from 0 to 9223372036854775807.",
  writer: "Writer",
  towards: "Blend into the next writer",
  style: "How much the writer varies",
  slant: "Slant, in degrees",
  size: "Height, in pixels",
  anotherWriter: "Another writer",
  savePng: "Save as PNG",
  saveSvg: "Save as SVG",
  writtenAs: "The text {text} in handwriting",
  nothingWritten: "Nothing is written yet",
  exploreTitle: "Every point on the plane is a way of writing",
  exploreTitleOfPictures: "Every point on the plane is a way of drawing",
  exploreHint:
    "Drag the point, click elsewhere, or focus the plane and use the arrow keys. All images at a point share one latent, a list of {count} numbers.",
  plane: "Plane of latents: point {x}, {y}",
  otherPlane: "Another plane",
  digitsHere: "Drawn from this latent",
  firstClasses: "The first {count} of {all} classes.",
  neighbours: "Its neighbours",
  neighboursHint: "A small step in eight random directions.",
  neighboursChoose: "Choose an image to see its neighbours.",
  neighboursOf: "Neighbours of {label}",
  critic: "Ask the discriminator that is learning in the view Learn",
  criticNone: "No discriminator has learned yet. Start one in the view Learn.",
  criticHint:
    "Colour around a digit: blue where it passes for real, red where it does not. On its pixels: where the discriminator wants more ink (blue) or less (red).",
  handTitle: "Draw one digit, and all ten appear in your hand",
  handHint: "Draw with a finger or the mouse. The more digits you keep, the better your hand is matched.",
  handCanvas: "Drawing area. Without a pointer, take an example instead.",
  clear: "Clear",
  example: "Take an example",
  keep: "Keep it and draw another",
  forget: "Start over",
  readAs: "Read as",
  found: "Found",
  foundHint: "What the generator draws as its latent moves towards your drawing, step by step.",
  inversionSteps: "Step {step} of {steps}, difference {error}",
  unlike: "This is unlike anything that the generator learned to draw.",
  yourDigits: "All ten digits in your hand",
  yourText: "Write in your handwriting",
  nothingDrawn: "Draw a digit first.",
  kept: "Digits used to find your hand: {count}",
  learnTitle: "Watch it learn from scratch",
  learnHint:
    "The generator draws. The discriminator tells drawings from real digits, and says how each pixel should change. Both learn, a step at a time. Press Run to begin.",
  oneStep: "One step",
  slow: "Slow",
  run: "Run",
  pause: "Pause",
  reset: "Start again",
  runComplete:
    "The {steps} steps of this run are done. Its learning rates have faded to 0, so nothing changes it any more: press Start again.",
  steps: "Steps",
  perSecond: "Steps per second",
  batch: "Images in a batch",
  generatorRate: "Learning rate of the generator",
  discriminatorRate: "Learning rate of the discriminator",
  penalty: "Weight of the gradient penalty",
  numberWrong: "Give a number from 0 on. Until then, the usual {usual} counts.",
  game: "Game",
  "game.relativistic": "relativistic",
  "game.non-saturating": "non-saturating",
  "game.hinge": "hinge",
  "game.least-squares": "least squares",
  controlsHint: "Changes take effect at the next step; a new batch size or seed only after Start again.",
  breakIt: "Break it",
  "break.none": "Nothing broken",
  "break.rate": "Learning rates × 100",
  "break.penalty": "No penalty",
  "break.frozen": "Frozen discriminator",
  "break.labels": "Wrong labels",
  data: "Real digits: {count}",
  dropData: "Learn from other digits: choose or drop MNIST's two .gz files of images and labels",
  "dataWrong.unzip": "These are not MNIST's files: one of them is not compressed with gzip, or is damaged.",
  "dataWrong.format": "These are not MNIST's files: one of them is not an IDX file of bytes.",
  "dataWrong.length": "These are not MNIST's files: the length of one does not fit its header.",
  "dataWrong.pair": "Choose two of MNIST's files together: one of images, and the one of their labels.",
  "dataWrong.none": "There are no digits in these files.",
  "dataWrong.size": "These are not MNIST's files: the images are {height}×{width} and not 28×28.",
  "dataWrong.label": "These are not MNIST's files: there is a label {label}; labels of digits are 0 to 9.",
  drawings: "What the same forty latents draw",
  losses: "Losses",
  lossGenerator: "generator",
  lossDiscriminator: "discriminator",
  lossesHint: "The last 400 steps at most, the newest on the right.",
  margins: "The discriminator's margins",
  marginsHint:
    "Across: how much more real a real digit looks than a drawn one. Up: the share of such pairs in the batch. To the right of 0 the discriminator is right, to the left it is wrong.",
  wishes: "What the discriminator wants changed",
  wishesHint: "Blue: more ink here. Red: less.",
  read: "How its drawings are read",
  readHint: "The share of the drawings of each digit that a classifier reads as that digit.",
  doctor: "Diagnosis",
  "doctor.waiting": "Too early to tell.",
  "doctor.healthy": "It is learning.",
  "doctor.diverged":
    "Training diverged: a loss is no longer a finite number. Lower the learning rates and start again.",
  "doctor.overpowered":
    "The discriminator can tell every drawing from a real digit, so the generator learns little from it. Turn the penalty on, or lower the discriminator's learning rate.",
  "doctor.collapsed":
    "The generator draws nearly the same picture for every latent. Use the relativistic game with the penalty, lower the learning rates, and start again.",
  "doctor.fooled":
    "The discriminator rates drawings as more real than real digits: it no longer learns, or the learning rates are too high. Let it learn again, or lower the learning rates and start again.",
  "doctor.labels":
    "Drawings are not read as the digits that were asked for: the labels do not fit the pictures. Repair the labels and start again.",
  replayTitle: "Two recorded runs",
  replayHint:
    "Each drew from the same twenty latents again and again while it learned; move the sliders. The tutorial took about two hours for its 100,000 steps; the recipe fast takes one to three minutes for its 2,500.",
  "replay.tutorial": "The tutorial",
  "replay.fast": "The recipe fast",
  about: "Model: {name}. Computed with {kernel}.",
  noWriting: "This model cannot be told which of the ten digits to draw, so it cannot write. You can still explore it.",
  noWritingInColour: "This model draws in colour, so it cannot write. You can still explore it.",
};

export type TextKey = keyof typeof english;

const chinese: Readonly<Record<TextKey, string>> = {
  title: "会写字的 GAN",
  titleOfPictures: "会画画的 GAN",
  intro: "一个小小的网络，只看图片就学会了画画。一切都在本页内运行，不会向外发送任何数据。",
  tabs: "选择内容",
  tabWrite: "书写",
  tabExplore: "探索",
  tabHand: "你的笔迹",
  tabLearn: "学习过程",
  language: "English",
  theme: "浅色或深色",
  loading: "正在加载网络……",
  broken: "页面无法启动：{reason}",
  damaged: "页面无法启动：文件已损坏或不完整。请重新获取。",
  failed: "操作失败：{reason}",
  writeTitle: "用一种笔迹书写",
  writeText: "数字、日期或算式",
  writeHint: "可以写数字、空格和 . , - : / + 这些符号；d 代表任意一个数字。",
  writeStrange: "这些字符写不了：{characters}",
  writeTooLong: "最多 {longest} 个字符。",
  seed: "随机种子",
  seedWrong: "随机种子是 0 到 9223372036854775807 之间的整数。",
  writer: "书写者",
  towards: "向下一位书写者过渡",
  style: "笔迹变化的程度",
  slant: "倾斜角度（度）",
  size: "高度（像素）",
  anotherWriter: "换一位书写者",
  savePng: "保存为 PNG",
  saveSvg: "保存为 SVG",
  writtenAs: "手写的 {text}",
  nothingWritten: "还没有写任何内容",
  exploreTitle: "平面上的每一点都是一种笔迹",
  exploreTitleOfPictures: "平面上的每一点都是一种画法",
  exploreHint: "拖动圆点，点按别处，或者选中平面再按方向键。同一点上的图像共用一个隐变量：描述它们的 {count} 个数。",
  plane: "隐变量平面：位置 {x}，{y}",
  otherPlane: "换一个平面",
  digitsHere: "由这个隐变量画出的图像",
  firstClasses: "共有 {all} 个类别，这里显示前 {count} 个。",
  neighbours: "它的近邻",
  neighboursHint: "沿八个随机方向各走一小步。",
  neighboursChoose: "点按一幅图像，查看它的近邻。",
  neighboursOf: "{label} 的近邻",
  critic: "请“学习过程”中的判别器来评判",
  criticNone: "还没有训练过的判别器。请先到“学习过程”中开始训练。",
  criticHint:
    "数字周围的颜色：蓝色表示看起来像真的，红色表示不像。像素上的颜色：蓝色表示判别器希望多一点墨，红色表示少一点。",
  handTitle: "写一个数字，十个数字就都有了你的笔迹",
  handHint: "用手指或鼠标书写。保留的数字越多，就越像你的笔迹。",
  handCanvas: "书写区域。不便用鼠标或手指书写时，可以改用样例。",
  clear: "清除",
  example: "使用样例",
  keep: "保留，再写一个",
  forget: "重新开始",
  readAs: "识别为",
  found: "找到的结果",
  foundHint: "隐变量一步步靠近你写的数字时，生成器画出的图像。",
  inversionSteps: "第 {step} 步，共 {steps} 步，误差 {error}",
  unlike: "这和生成器学过的任何写法都不像。",
  yourDigits: "用你的笔迹写的十个数字",
  yourText: "用你的笔迹书写",
  nothingDrawn: "请先写一个数字。",
  kept: "用来推断笔迹的数字：{count} 个",
  learnTitle: "看它从零开始学习",
  learnHint:
    "生成器负责画；判别器分辨哪些是画的、哪些是真的，并指出每个像素该怎么改。两者一步一步，一起学习。按“运行”开始。",
  oneStep: "走一步",
  slow: "慢速",
  run: "运行",
  pause: "暂停",
  reset: "从头开始",
  runComplete: "这次训练的 {steps} 步已全部走完，学习率已降到 0，再改什么都不起作用：请按“从头开始”。",
  steps: "步数",
  perSecond: "每秒步数",
  batch: "每批图像数",
  generatorRate: "生成器的学习率",
  discriminatorRate: "判别器的学习率",
  penalty: "梯度惩罚项的权重",
  numberWrong: "请填 0 或更大的数。在此之前，按通常的 {usual} 计算。",
  game: "对抗损失",
  "game.relativistic": "相对",
  "game.non-saturating": "非饱和",
  "game.hinge": "合页",
  "game.least-squares": "最小二乘",
  controlsHint: "改动从下一步起生效；每批图像数和随机种子，要按“从头开始”才会更换。",
  breakIt: "故意弄坏",
  "break.none": "保持正常",
  "break.rate": "学习率 × 100",
  "break.penalty": "去掉惩罚项",
  "break.frozen": "冻结判别器",
  "break.labels": "打乱标签",
  data: "真实数字：{count} 个",
  dropData: "改用其他数字学习：选择或拖入 MNIST 的图像和标签两个 .gz 文件",
  "dataWrong.unzip": "这不是 MNIST 的文件：有一个不是 gzip 压缩的，或者已经损坏。",
  "dataWrong.format": "这不是 MNIST 的文件：有一个不是字节型的 IDX 文件。",
  "dataWrong.length": "这不是 MNIST 的文件：有一个的长度与文件头不符。",
  "dataWrong.pair": "请同时选择 MNIST 的两个文件：一个是图像，一个是这些图像的标签。",
  "dataWrong.none": "这两个文件里没有数字。",
  "dataWrong.size": "这不是 MNIST 的文件：图像是 {height}×{width}，不是 28×28。",
  "dataWrong.label": "这不是 MNIST 的文件：有一个标签是 {label}；数字的标签是 0 到 9。",
  drawings: "同样的四十个隐变量画出的图像",
  losses: "损失",
  lossGenerator: "生成器",
  lossDiscriminator: "判别器",
  lossesHint: "最多显示最近 400 步，最新的在右边。",
  margins: "判别器的间隔",
  marginsHint:
    "横轴：真实数字比画出的数字“更真”多少。纵轴：这样的配对在一批中的比例。在 0 的右边，判别器判断对了；在左边，判断错了。",
  wishes: "判别器希望怎样修改",
  wishesHint: "蓝色：这里多一点墨。红色：少一点。",
  read: "画出的数字被认成什么",
  readHint: "要求画每个数字时，画出的图被分类器认对的比例。",
  doctor: "诊断",
  "doctor.waiting": "现在判断还太早。",
  "doctor.healthy": "学习正常。",
  "doctor.diverged": "训练发散了：损失已经不是有限的数。请调低学习率，从头开始。",
  "doctor.overpowered": "判别器能认出每一张画出来的图，生成器从它那里学不到什么。请打开惩罚项，或调低判别器的学习率。",
  "doctor.collapsed": "无论隐变量是什么，生成器画出的都几乎一样。请使用相对损失和惩罚项，调低学习率，从头开始。",
  "doctor.fooled":
    "在判别器看来，画出的比真的还真：它已经不再学习，或者学习率太高。请让它继续学习，或调低学习率，从头开始。",
  "doctor.labels": "画出的数字与要求的不符：标签和图像对不上。请改正标签，从头开始。",
  replayTitle: "两次训练的回放",
  replayHint:
    "两次训练都反复用同样的二十个隐变量作画；拖动滑块，看画出的图怎样变成数字。教程走完 100,000 步用了大约两小时，配方 fast 走完 2,500 步只要一到三分钟。",
  "replay.tutorial": "教程",
  "replay.fast": "配方 fast",
  about: "模型：{name}。计算方式：{kernel}。",
  noWriting: "这个模型不能指定画哪个数字，所以不能书写，但仍可以用来探索。",
  noWritingInColour: "这个模型画的是彩色图像，所以不能书写，但仍可以用来探索。",
};

export type Language = "en" | "zh";
const languages: Readonly<Record<Language, Readonly<Record<TextKey, string>>>> = { en: english, zh: chinese };
/** How HTML names each language. */
export const TAGS: Readonly<Record<Language, string>> = { en: "en", zh: "zh-Hans" };

export type Values = Readonly<Record<string, string | number>>;

/** A sentence: its key, and what it mentions. */
export type Sentence = readonly [key: TextKey, values?: Values];

let language: Language = "en";
const texts = new Map<Node, Sentence>(); // what nodes show
const labels = new Map<Element, Sentence>(); // the accessible names of elements

/** A whole number as both languages write it, with a comma between thousands. */
export function grouped(value: number): string {
  return value.toLocaleString("en");
}

/** A sentence in the current language. */
function spoken([key, values = {}]: Sentence): string {
  return languages[language][key].replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    return typeof value === "number" ? grouped(value) : value;
  });
}

/** Let a node show a text. A text that is set again would be read out again. */
function show(node: Node, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Let a node show a sentence, now and after each change of language. */
export function say(node: Node, ...sentence: Sentence): void {
  texts.set(node, sentence);
  show(node, spoken(sentence));
}

/** Let a node show a sentence, or nothing. */
export function tell(node: Node, sentence: Sentence | null): void {
  if (sentence) {
    say(node, ...sentence);
  } else {
    texts.delete(node);
    show(node, "");
  }
}

/** Let a sentence be an element's accessible name, now and after each change of language. */
export function label(element: Element, ...sentence: Sentence): void {
  labels.set(element, sentence);
  element.setAttribute("aria-label", spoken(sentence));
}

/** Show the page in a language from now on. */
export function speak(chosen: Language): void {
  language = chosen;
  document.documentElement.lang = TAGS[chosen];
  for (const [node, sentence] of texts) {
    node.textContent = spoken(sentence);
  }
  for (const [element, sentence] of labels) {
    element.setAttribute("aria-label", spoken(sentence));
  }
}

export function spokenLanguage(): Language {
  return language;
}

/** The first of the reader's languages that the page speaks; English if there is none. */
export function preferredLanguage(): Language {
  return navigator.languages.find((one) => /^(zh|en)/i.test(one))?.startsWith("zh") ? "zh" : "en";
}
