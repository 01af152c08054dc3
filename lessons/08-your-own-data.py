# %% [markdown] lang="en"
# # 8 · Your own data, and beyond
#
# Digits were the beginning. In this last lesson you train on a folder of your own pictures, then on coloured ones, see
# how several processes share the work, take your model with you, and find out where to read on. All the computing takes
# half a minute.

# %% [markdown] lang="zh" of="7d15cf12"
# # 8 · 用自己的数据，再往前走
#
# 数字只是开始。最后这一课，你用自己的一文件夹图片训练，再换成彩色的，看多个进程怎样分担工作，把模型带走，最后看看接下来读什么。
# 全部计算大约半分钟。

# %% [markdown] lang="en"
# ## A folder
#
# No folder at hand? Then draw one: circles, squares and triangles, 200 of each, with varying positions, sizes
# and line widths. One folder for each class. What else must the computer know? (Nothing.)

# %% [markdown] lang="zh" of="a3f5c4d9"
# ## 一个文件夹
#
# 手头没有？那就自己画：圆、正方形和三角形各 200 张，位置、大小、线宽各不相同，每类一个文件夹。此外还要告诉计算机什么？（什么都不用。）

# %%
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import inkgan
from inkgan.data import load
from inkgan.images import sheet

random = np.random.default_rng(0)
KINDS = ("circle", "square", "triangle")


def shape(kind, side=24, ink="black"):
    """A picture of a shape, drawn large and made small."""
    large = Image.new("RGB", (96, 96), "white")
    pen = ImageDraw.Draw(large)
    x, y = random.uniform(40, 56, 2)
    radius, width = random.uniform(20, 34), int(random.integers(6, 13))
    if kind == "circle":
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], outline=ink, width=width)
    else:
        corners = {"square": 4, "triangle": 3}[kind]
        pen.regular_polygon((x, y, radius), corners, rotation=random.uniform(-15, 15), outline=ink, width=width)
    return large.resize((side, side), Image.Resampling.BOX)


for kind in KINDS:
    Path("shapes", kind).mkdir(parents=True, exist_ok=True)
    for number in range(200):
        shape(kind).convert("L").save(f"shapes/{kind}/{number:03}.png")

shapes = load("shapes")
print(shapes)
print(shapes.class_names, *shapes.notes, sep="\n")
sheet(shapes.examples("train", columns=12), columns=12, scale=2)

# %%
assert len(shapes.train) + len(shapes.validation) + len(shapes.test) == 600
assert any("inverted" in note for note in shapes.notes)

# %% [markdown] lang="en"
# inkgan found the classes in the names of the folders, kept a tenth of the images for validation (during the training,
# the doctor compares them with the training images) and a tenth for testing (they wait for the final measurement), and
# saw that this is dark ink on white paper. (Otherwise it would learn negatives: failure number 7 of lesson 4.)
#
# ## What if the folder is untidy?
#
# Real folders are. Put in a text file, and a picture of another size. Should they be ignored silently?

# %% [markdown] lang="zh" of="86f1406f"
# inkgan 从文件夹的名字里认出了类别，留出十分之一做验证（训练途中，医生拿它们和训练图比较），十分之一做测试（留到最后评估时用），还看出这是白纸黑字。（否则就会学成反相的图，也就是第 4 课的第 7 种失败。）
#
# ## 文件夹里乱七八糟怎么办？
#
# 真实的文件夹都很乱。放进一个文本文件，再放一张尺寸不同的图。该悄悄忽略它们吗？

# %%
Path("shapes/circle/remarks.txt").write_text("not a picture")
shape("circle", side=30).convert("L").save("shapes/circle/large.png")
untidy = load("shapes")
print(*untidy.notes, dict(untidy.skipped), sep="\n")
assert sum(untidy.skipped.values()) == 2
tidy = load("shapes", resize=24)
assert len(tidy.train) + len(tidy.validation) + len(tidy.test) == 601

# %% [markdown] lang="en"
# inkgan says what it left out, and why. With `resize=24` (`--resize 24` in a terminal) the large picture is made to
# fit.
#
# ## Train
#
# The same recipe as for digits, with narrow networks because the images are simple. How far will you get in 300 steps?

# %% [markdown] lang="zh" of="c47f4533"
# 略过了哪些文件、为什么，inkgan 都说清楚了。加上 `resize=24`（终端里是 `--resize 24`），大的那张也会缩放到合适的尺寸。
#
# ## 训练
#
# 配方和数字的一样；图很简单，所以网络用窄的。300 步能学到什么程度？

# %% short=["STEPS = 300", "STEPS = 4"]
import torch

STEPS = 300
torch.set_num_threads(1)  # networks this small are not worth sharing
narrow = {"batch_size": 32, "generator.channels": 24, "discriminator.channels": 24, "latent_dim": 16}
result = inkgan.train(
    data="shapes",
    resize=24,
    steps=STEPS,
    out="runs/shapes",
    device="cpu",
    precision="float32",
    force=True,
    settings=narrow,
)
own = inkgan.load(result.folder)
sheet(own.sample(36, seed=1, labels=np.repeat(KINDS, 12)), columns=12, scale=2)

# %% [markdown] lang="en"
# One class per row, still rough. Did the model learn the three classes? A crude judge is enough: which class has the
# nearest training image?

# %% [markdown] lang="zh" of="5fc697e8"
# 每行一类，还很粗糙。三个类别学会了吗？找个简单的裁判就够了：最近的训练图属于哪一类？


# %%
def nearest_class(images):
    known = tidy.train.images.reshape(len(tidy.train), -1).astype(np.float32)
    asked = np.asarray(images).reshape(len(images), -1).astype(np.float32)
    apart = (asked**2).sum(1)[:, None] + (known**2).sum(1)[None] - 2 * asked @ known.T
    return tidy.train.labels[apart.argmin(1)]


drawn = own.sample(300, seed=2)
right = (nearest_class(drawn) == own.labels_for(300)).mean()
ceiling = (nearest_class(tidy.test.images) == tidy.test.labels).mean()
print(f"generated shapes that look like their class: {right:.0%}; of real held-out ones: {ceiling:.0%}")

# %% full=true
assert right > 0.7

# %% [markdown] lang="en"
# Do not be surprised if generated shapes do as well as real ones, or better, as here: a generator draws ordinary
# shapes, while now and then a real one is odd and lies near no training image of its kind. A real measurement needs at
# least 128 test images, and the warning above says that there are only 60 here. Draw 1,300 shapes, of which inkgan
# holds out a tenth for testing, or sort your images into two folders yourself, `train/` and `test/`, with a folder for
# each class in both. Then `inkgan evaluate runs/shapes` trains a feature network on your data first, and says how long
# that will take. With 480 training images do not expect too much; failure number 10 of lesson 4 is near. Look at
# `inkgan doctor runs/shapes` before you trust anything.
#
# ## Colour
#
# What has to change in the networks for coloured pictures? Count the channels.

# %% [markdown] lang="zh" of="5cc01584"
# 生成的图判对的比例如果不低于真图，甚至像这里这样更高，不必奇怪：生成器画的是常见的样子，而真图里总有几张怪的，附近找不到同类的训练图。
# 认真的评估至少要 128 张测试图，上面的警告说这里只有 60 张。可以画 1,300 张，其中十分之一会留作测试；也可以自己把图分进 `train/` 和 `test/` 两个文件夹，里面再各按类别分文件夹。
# 然后用 `inkgan evaluate runs/shapes`：它会先用你的数据训练一个特征网络，并说明要花多久。只有 480 张训练图，不要指望太多，
# 第 4 课的第 10 种失败就在眼前。先看看 `inkgan doctor runs/shapes`，再决定信不信。
#
# ## 彩色
#
# 彩色图片，网络要改什么？数一数通道。

# %%
INKS = {"circle": "crimson", "square": "seagreen", "triangle": "royalblue"}
for kind in KINDS:
    Path("coloured", kind).mkdir(parents=True, exist_ok=True)
    for number in range(200):
        shape(kind, ink=INKS[kind]).save(f"coloured/{kind}/{number:03}.png")
coloured = load("coloured")
print(coloured.image_shape)
sheet(coloured.examples("train", columns=12), columns=12, scale=2)

# %%
assert coloured.image_shape == (24, 24, 3)

# %%
result = inkgan.train(
    data="coloured", steps=STEPS, out="runs/coloured", device="cpu", precision="float32", force=True, settings=narrow
)
painter = inkgan.load(result.folder)
painted = painter.sample(36, seed=1, labels=np.repeat(KINDS, 12))
print("shape of an image:", painted.shape[1:])
sheet(painted, columns=12, scale=2)

# %% full=true
inked = (255 - painted.astype(float)).reshape(3, 12 * 24 * 24, 3)
weights = inked.sum(axis=2, keepdims=True) ** 2
colours = 255 - (inked * weights).sum(axis=1) / weights.sum(axis=1)
assert colours.argmax(axis=1).tolist() == [0, 1, 2]

# %% [markdown] lang="en"
# Only the first layer of the discriminator and the last one of the generator have three channels instead of one. Red
# circles, green squares, blue triangles, still speckled after so few steps: the model learned which colour belongs to
# which shape, because that was so in the data. If that is not what you want, change the data.
#
# ## Many processes
#
# A larger model needs more hands. Two processes each take half of every batch; then they average their gradients. Is
# that the same as one process with the whole batch?

# %% [markdown] lang="zh" of="7166d21c"
# 只有判别器的第一层和生成器的最后一层，从一个通道变成了三个。红圆、绿方、蓝三角，步数太少，还带着杂色的斑点。它学到了哪种形状配哪种颜色，因为数据里就是这样。
# 如果这不是你想要的，就得改数据。
#
# ## 多个进程
#
# 模型一大，人手就不够了。两个进程各拿半批，算完再把梯度平均。这和一个进程算整批一样吗？

# %%
from torch.nn.functional import softplus

torch.manual_seed(0)  # the same random numbers each time
network = torch.nn.Linear(24 * 24, 1)
batch = torch.from_numpy(shapes.train.images[:32]).flatten(1) / 255


def gradient(images):
    return torch.autograd.grad(softplus(-network(images)).mean(), network.weight)[0]


whole = gradient(batch)
shared = (gradient(batch[:16]) + gradient(batch[16:])) / 2
print("largest difference:", f"{(whole - shared).abs().max().item():.1e}")
assert torch.allclose(whole, shared, atol=1e-7)

# %% [markdown] lang="en"
# Yes, except for rounding. And when would it *not* be the same? When images of a batch influence each other, as in
# batch normalisation: another reason to do without it. In a terminal: `inkgan train --set slices=2 --processes 2`.
# Here, `slices` says into how many parts each batch is cut. For many machines, see [the page on
# clusters](../../docs/cluster.md).
#
# ## Take it with you
#
# `inkgan export RUN -o model.html` makes one file that draws without a server; `-o model.onnx` makes one for other
# programs. You can also export a folder with the weights and a model card, a page that says what the model is and how
# it was trained:

# %% [markdown] lang="zh" of="cec4d756"
# 一样，只差舍入误差。什么时候会**不**一样？同一批的图互相影响的时候，比如批归一化：又一个不用它的理由。
# 在终端里：`inkgan train --set slices=2 --processes 2`，其中 `slices` 是每批切成几份；多台机器见[集群](../../docs/cluster.md)（英文）。
#
# ## 带走
#
# `inkgan export RUN -o model.html` 做成一个不用服务器就能画图的文件，`-o model.onnx` 供别的程序使用。也可以导出成一个文件夹，里面有权重和模型卡（说明模型是什么、怎样训练的一页文字）：

# %%
inkgan.export("runs/shapes", "my-shapes/", force=True)
print(sorted(path.name for path in Path("my-shapes").iterdir()))
again = inkgan.load("my-shapes")
assert np.array_equal(again.sample(10, seed=3), own.sample(10, seed=3))

# %% [markdown] lang="en"
# ## Further reading
#
# Eleven papers, in the order in which they answer each other:
#
# 1. Goodfellow et al. 2014, [*Generative Adversarial Networks*](https://arxiv.org/abs/1406.2661): the game, its
#    optimum, and the non-saturating loss.
# 2. Radford et al. 2015, [*DCGAN*](https://arxiv.org/abs/1511.06434): convolutions that train, and arithmetic with
#    latents.
# 3. Salimans et al. 2016, [*Improved Techniques for Training GANs*](https://arxiv.org/abs/1606.03498): a remedy for
#    mode collapse, labels used, a first measure.
# 4. Arjovsky et al. 2017, [*Wasserstein GAN*](https://arxiv.org/abs/1701.07875): what if the two distributions do not
#    overlap?
# 5. Gulrajani et al. 2017, [*Improved Training of Wasserstein GANs*](https://arxiv.org/abs/1704.00028): a penalty on
#    the gradient instead of clipped weights.
# 6. Heusel et al. 2017, [*GANs Trained by a Two Time-Scale Update Rule*](https://arxiv.org/abs/1706.08500): the Fréchet
#    distance as a measure.
# 7. Mescheder et al. 2018, [*Which Training Methods for GANs do actually Converge?*](https://arxiv.org/abs/1801.04406):
#    why R1 damps the circle.
# 8. Karras et al. 2019 and 2020, [*StyleGAN*](https://arxiv.org/abs/1812.04948) and
#    [*StyleGAN2-ADA*](https://arxiv.org/abs/2006.06676): latents that scale channels; training with few images.
# 9. Kynkäänniemi et al. 2019, [*Improved Precision and Recall Metric*](https://arxiv.org/abs/1904.06991): two questions
#    instead of one number.
# 10. Huang et al. 2024, [*The GAN is dead; long live the GAN!*](https://arxiv.org/abs/2501.05441): pairs, R1 and R2,
#     and a plain network are enough.
#
# ## Exercises
#
# Try each before you unfold its solution, and the answer below it.
#
# **1.** Train without labels (`settings={"conditional": False, "class_weight": 0.0}`). What can you no longer do?

# %% [markdown] lang="zh" of="e5a3e60f"
# ## 接下来读什么
#
# 十一篇论文，后面的回应前面的，就按这个顺序读：
#
# 1. Goodfellow 等 2014，[*Generative Adversarial Networks*](https://arxiv.org/abs/1406.2661)：博弈、最优解、非饱和损失。
# 2. Radford 等 2015，[*DCGAN*](https://arxiv.org/abs/1511.06434)：能顺利训练的卷积网络，还有隐变量的加减法。
# 3. Salimans 等 2016，[*Improved Techniques for Training GANs*](https://arxiv.org/abs/1606.03498)：对付模式崩溃的一个办法，用上标签，第一个评价指标。
# 4. Arjovsky 等 2017，[*Wasserstein GAN*](https://arxiv.org/abs/1701.07875)：如果两个分布根本不重叠呢？
# 5. Gulrajani 等 2017，[*Improved Training of Wasserstein GANs*](https://arxiv.org/abs/1704.00028)：不再裁剪权重，改用对梯度的惩罚项。
# 6. Heusel 等 2017，[*GANs Trained by a Two Time-Scale Update Rule*](https://arxiv.org/abs/1706.08500)：用 Fréchet 距离作评价指标。
# 7. Mescheder 等 2018，[*Which Training Methods for GANs do actually Converge?*](https://arxiv.org/abs/1801.04406)：R1 为什么能止住绕圈。
# 8. Karras 等 2019 和 2020，[*StyleGAN*](https://arxiv.org/abs/1812.04948) 和 [*StyleGAN2-ADA*](https://arxiv.org/abs/2006.06676)：用隐变量缩放通道；图很少时怎样训练。
# 9. Kynkäänniemi 等 2019，[*Improved Precision and Recall Metric*](https://arxiv.org/abs/1904.06991)：用精确率和召回率两个问题代替一个数。
# 10. Huang 等 2024，[*The GAN is dead; long live the GAN!*](https://arxiv.org/abs/2501.05441)：成对比较、R1 和 R2，加上朴素的网络，就够了。
#
# ## 练习
#
# 每题先自己试，再展开参考代码和下面的答案。
#
# **1.** 不用标签训练（`settings={"conditional": False, "class_weight": 0.0}`）。有什么事做不了了？

# %% short=["steps=100", "steps=4"] solution=true
from inkgan.errors import ConfigError

blind = inkgan.train(
    data="shapes",
    resize=24,
    steps=100,
    out="runs/blind",
    device="cpu",
    precision="float32",
    force=True,
    settings={**narrow, "conditional": False, "class_weight": 0.0},
)
try:
    inkgan.load(blind.folder).sample(3, labels="circle")
except ConfigError as error:
    print(error)
else:
    raise AssertionError("it should refuse")

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# Ask for a class.
#
# </details>
#
# **2.** How many numbers does your model have, and how large is its file? Guess both first. (For each class the model
# has learned a vector of 64 numbers. Its first layer turns 80 numbers, the 16 of a latent and the 64 of its class, into
# 24 maps of 6×6. A number in float32 takes 4 bytes.)

# %% [markdown] lang="zh" of="d152b5e2"
# <details><summary>答案</summary>
#
# 点名要某一类。
#
# </details>
#
# **2.** 你的模型有多少个数，文件有多大？先猜一猜。（模型为每一类学了一个向量，有 64 个数。模型的第一层把 80 个数，即隐变量的 16 个和类别的 64 个，变成 24 张 6×6 的特征图；float32 的一个数占 4 个字节。）

# %% solution=true
from inkgan.generation.loading import read

numbers = sum(array.size for array in read("my-shapes", "latest").arrays.values())
size = Path("my-shapes/generator.safetensors").stat().st_size
print(f"{numbers:,} numbers, {size:,} bytes: {size / numbers:.1f} bytes each")
assert size >= 2 * numbers

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# The first layer alone has 24 · 36 · 81 = 69,984 of them: 80 weights and a bias for each place of each map. The
# three vectors of the classes are 192; the convolutions and the scales that depend on latent and class have the rest.
# Four bytes for each number; the few extra bytes are the names and shapes of the arrays.
#
# </details>
#
# ## Ten questions
#
# Could you explain these to a friend? Each is answered in the lesson in brackets.
#
# 1. What does a generator learn from, if it never sees a real image? [1, 2]
# 2. What does the best discriminator compute? [2]
# 3. Why does the generator not minimise log(1 − D)? [2]
# 4. Which optimiser may change which weights, and what goes wrong otherwise? [2]
# 5. Why is a discriminator's loss near 0 a bad sign? [3, 4]
# 6. How do you notice mode collapse, if every single picture is good? [4, 5]
# 7. What is a floor, and why is it not 0? [5]
# 8. Two runs differ by 0.3 in distance. What do you want to know next? [5, 6]
# 9. Which changes turned the tutorial into `fast`, and what did each of them bring? [6]
# 10. What does a label say, and what does a latent say? [7]
#
# Answer all ten before you unfold the short answers. If one surprises you, go back to its lesson.
#
# <details><summary>Answers</summary>
#
# 1. From the gradient that comes back through the discriminator, and from nothing else.
# 2. At each point the share of real images among all: real / (real + generated).
# 3. Where the discriminator is sure, log(1 − D) is flat: the generator would learn least when it is worst.
# 4. Only the one that holds them: the generator's Adam may change only the generator's weights. Otherwise the loss
#    falls because the judge is bribed, and the images stay as they are.
# 5. A discriminator that never errs has stopped learning, and its gradient leads to no digit. Or real and generated
#    pixels have different ranges.
# 6. Compare many images of a class with each other, or look at recall; count the classes.
# 7. The distance of real images that nobody trained on. They are few, so their covariance is crude; and other people
#    wrote them.
# 8. Whether the interval of the difference contains 0, how many images each figure comes from, and what other seeds
#    give.
# 9. Networks that fit (cheap steps, no normalisation), labels (asking for a digit), pairs (all real images matter),
#    penalties (a smooth discriminator), averaging (no jitter).
# 10. The label says what is written, the latent how: the hand.
#
# </details>
#
# Ten more questions ask what follows from the lessons: [questions](../../lessons/questions.md).

# %% [markdown] lang="zh" of="ad13d091"
# <details><summary>答案</summary>
#
# 光是第一层就占了 24 · 36 · 81 = 69,984 个：每张特征图的每个位置有 80 个权重和一个偏置。三个类别的向量占 192 个，其余的属于卷积，以及由隐变量和类别决定的缩放。每个数四个字节，多出来的一点是各个数组的名字和形状。
#
# </details>
#
# ## 十个问题
#
# 你能给朋友讲清楚吗？答案在方括号里的那几课。
#
# 1. 生成器从没见过真图，它从什么地方学？[1、2]
# 2. 最优判别器算的是什么？[2]
# 3. 生成器为什么不最小化 log(1 − D)？[2]
# 4. 哪个优化器可以改哪些权重？弄错了会怎样？[2]
# 5. 判别器的损失接近 0，为什么是坏兆头？[3、4]
# 6. 每一张图都好，怎样发现模式崩溃？[4、5]
# 7. 什么是下限？它为什么不是 0？[5]
# 8. 两次训练的距离差 0.3，你接下来想知道什么？[5、6]
# 9. 哪些改动把教程变成了 `fast`？每一样带来了什么？[6]
# 10. 标签决定什么，隐变量决定什么？[7]
#
# 十题都答完，再展开简答。如果哪一条出乎意料，就回到那一课。
#
# <details><summary>简答</summary>
#
# 1. 从穿过判别器传回来的梯度中学，此外没有别的来源。
# 2. 每一点上，真图在全部图中所占的份额：真 /（真 + 生成的）。
# 3. 判别器有把握时，log(1 − D) 是平的：生成器最差的时候，反而学到的最少。
# 4. 权重交给哪个优化器，哪个才能改：生成器的 Adam 里只放生成器的权重。否则裁判会被收买，损失下降了，图却没有变。
# 5. 判别器从不出错，就不再学习，它的梯度也就不指向数字。也可能是真图和生成的图像素范围不同。
# 6. 把同一类的许多张图互相比较，或者看召回率，并数一数各个类别。
# 7. 没参加过训练的真图的距离。图的数量有限，协方差估得粗；而且是另一些人写的。
# 8. 差值的区间是否包含 0，每个指标用了多少张图，换别的种子又会怎样。
# 9. 合适的网络（一步便宜，不用归一化）、标签（可以点名）、成对比较（每张真图都算数）、惩罚项（判别器平滑）、平均（不再抖动）。
# 10. 标签决定写什么，隐变量决定怎么写，也就是笔迹。
#
# </details>
#
# 另有十个问题，问的是由这些课可以推出什么：[问题](../../lessons/questions.md)。
