# %% [markdown] lang="en"
# # 5 · Measuring
#
# You have two generators. Which one is better? "Look at the pictures" is a good answer for the first minute and a bad
# one after that. In this lesson you build the usual measures from a few lines of NumPy, learn what each one cannot see,
# and end with a verdict that holds up.

# %% [markdown] lang="zh" of="c0471cb7"
# # 5 · 评估：怎样才算好
#
# 面前有两个生成器，哪个更好？“看图”，头一分钟这是个好回答，再往后就不够了。
# 这一课用几行 NumPy 写出常用的指标，弄清每一种看不见什么，最后下一个站得住脚的结论。

# %% [markdown] lang="en"
# ## Can the loss tell us?
#
# A classifier's loss says how good it is. Does a GAN's? The generator's loss is measured by its own discriminator,
# which changes all the time. Here are three generators: inkgan's `best` and `fast`, and the original `tutorial`.

# %% [markdown] lang="zh" of="c10a21e2"
# ## 损失能说明问题吗？
#
# 分类器的损失说明它有多好，GAN 的损失呢？量出生成器损失的，是它自己的判别器，而判别器一直在变。
# 这里有三个生成器：inkgan 的 `best` 和 `fast`，以及原教程的 `tutorial`。

# %%
import numpy as np

import inkgan
from inkgan.data import load
from inkgan.images import sheet

mnist = load("mnist")
best, fast, tutorial = (inkgan.load(name) for name in ("best", "fast", "tutorial"))
sheet(np.concatenate([model.sample(20, seed=5) for model in (best, fast, tutorial)]), columns=20)

# %% [markdown] lang="en"
# One row each. [The record of its training](../../docs/experiments.md) says that the tutorial's discriminator had a
# loss of 0.04 on real images after 3,000 steps, and of 19 after 100,000. So the loss became nearly five hundred times
# as large while the pictures became better. It says who is ahead in the game, not how good the images are. We need a
# measure that stands outside the game.
#
# ## From images to features
#
# Why not compare pixels? Take a digit and move it by one pixel. Then take a digit of another class. Which is nearer to
# the first, in pixels?

# %% [markdown] lang="zh" of="3747dcd2"
# 每个生成器一行。[训练记录](../../docs/experiments.md)（英文）里写着：教程的判别器在真图上的损失，3,000 步时是 0.04，100,000 步时是 19。
# 损失涨到了将近五百倍，图却变好了。可见损失只说明博弈中谁占上风，不说明图有多好。我们需要一把不参与博弈的尺子。
#
# ## 从图像到特征
#
# 为什么不直接比像素？取一个数字，平移一个像素；再取另一类的一个数字。按像素算，哪个离原图更近？

# %%
images = mnist.train.images[:2000].astype(np.float64) / 255
labels = mnist.train.labels[:2000]
one = 8  # a nine
moved = np.roll(images[one], 1, axis=1)
to_all = ((images - images[one]) ** 2).sum(axis=(1, 2, 3))
other_class = np.where(labels != labels[one], to_all, np.inf)
nearest = other_class.argmin()
print(f"to itself, moved by one pixel: {((moved - images[one]) ** 2).sum():.1f}")
print(f"to the nearest digit of another class, a {labels[nearest]}: {other_class[nearest]:.1f}")
sheet((np.stack([images[one], moved, images[nearest]]) * 255).astype(np.uint8), columns=3, scale=3)

# %%
assert other_class[nearest] < ((moved - images[one]) ** 2).sum()

# %% [markdown] lang="en"
# In pixels, this nine (number 8 of the training images, so `one = 8`) is nearer to a four than to itself moved by one
# pixel. So we ask a network that knows digits: a classifier. The 64 numbers before its last layer are the image's
# **features**. Two images with similar features mean the same to the classifier, wherever their pixels lie.

# %% [markdown] lang="zh" of="20b08eed"
# 按像素算，这个“9”（训练图里的第 8 号，所以写 `one = 8`）离一个“4”，竟比离平移了一个像素的自己还近。所以要去问一个懂数字的网络：分类器。
# 它最后一层之前的 64 个数就是这张图的**特征**。两张图的特征相近，说明在分类器眼里它们是一回事，不管像素落在哪里。

# %%
from inkgan.evaluation.features import load_features

network = load_features()
three = mnist.train.images[[one, one, nearest]].copy()
three[1] = np.roll(three[1], 1, axis=1)
features = network(three)
distance = ((features - features[0]) ** 2).sum(axis=1)
print(
    "features:", features.shape, "  to itself moved:", round(distance[1], 1), "  to the other:", round(distance[2], 1)
)
assert distance[1] < distance[2]

# %% [markdown] lang="en"
# ## The Fréchet distance in one line
#
# A thousand images are a cloud of a thousand points in 64 dimensions. Describe a cloud by its mean m and its covariance
# C, as if it were a bell curve. (The covariance is a table of 64×64 numbers: the diagonal says how much each feature
# varies, the rest how much two features vary together.) How far apart are two such clouds?
#
# > d = |m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½)
#
# Strictly this is the square of the distance, but everybody calls it the distance. The first term, the squared length
# of m₁ − m₂, asks whether the clouds lie in the same place. The second asks whether they have the same shape; tr, the
# trace, is the sum of the diagonal. If there were one feature only, with standard deviations s₁ and s₂, it would be
#
# > d = (m₁ − m₂)² + (s₁ − s₂)²
#
# With the features of *Inception*, a network trained on photographs, d is the **FID** (Fréchet Inception Distance,
# [Heusel et al. 2017](https://arxiv.org/abs/1706.08500)) that papers report; the formula is older ([Dowson and Landau
# 1982](https://doi.org/10.1016/0047-259X%2882%2990077-X)). That network knows little about handwriting, so inkgan asks
# a classifier of digits; do not compare the two. Features have no unit, so d has none either, and one d alone says
# little. The ^½ means the matrix whose square is C₁ C₂. Its trace is the sum of the square roots of the eigenvalues of
# C₁ C₂, which NumPy computes. If you have not met eigenvalues, read on all the same: the cell after the next compares
# your line with inkgan's.

# %% [markdown] lang="zh" of="6ab88aad"
# ## 一行写出 Fréchet 距离
#
# 一千张图是 64 维空间里一千个点组成的云。用均值 m 和协方差 C 描述一朵云，就当它是正态分布。（协方差是一张 64×64 的表：对角线上是每个特征变化多大，别处是两个特征在多大程度上一同变化。）两朵这样的云相距多远？
#
# > d = |m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½)
#
# 严格说这是距离的平方，不过大家都直接叫它距离。第一项是向量 m₁ − m₂ 长度的平方，问两朵云是否在同一个地方，第二项问它们的形状是否相同；tr（迹）是对角线上各数之和。假如特征只有一个，标准差是 s₁ 和 s₂，它就是
#
# > d = (m₁ − m₂)² + (s₁ − s₂)²
#
# 如果特征取自 **Inception**（一个用照片训练的网络），d 就是论文里常见的 **FID**（Fréchet Inception Distance，[Heusel 等 2017](https://arxiv.org/abs/1706.08500)；公式更早，见 [Dowson 和 Landau 1982](https://doi.org/10.1016/0047-259X%2882%2990077-X)）。那个网络不大懂手写数字，所以 inkgan 用的是数字分类器；两种数不能互相比较。
# 特征没有单位，d 也没有，单独一个 d 说明不了什么。½ 次方是要找一个矩阵，它的平方等于 C₁ C₂；它的迹就是 C₁ C₂ 各特征值的平方根之和，NumPy 会算。
# 没学过特征值也不要紧，接着往下读：再过一个单元，就拿你这一行和 inkgan 的结果对照。


# %% short=["N = 1000", "N = 300"]
def frechet(a, b):
    """The squared Fréchet distance of two sets of features, [N, D] and [M, D]."""
    m, n, C, E = a.mean(0), b.mean(0), np.cov(a.T), np.cov(b.T)
    squared = ((m - n) ** 2).sum() + np.trace(C + E) - 2 * np.sqrt(np.abs(np.linalg.eigvals(C @ E))).sum()
    return max(squared, 0.0)  # rounding can leave it just below 0


N = 1000
random = np.random.default_rng(0)  # neighbours in the file have the same writer, so we choose at random
some_training = mnist.train.images[random.permutation(55000)[:N]]
reference = network(some_training).astype(np.float64)
drawn = {model.name: network(model.sample(N, seed=1)[..., None]).astype(np.float64) for model in (best, fast, tutorial)}
for name, found in drawn.items():
    print(f"{name:9} {frechet(found, reference):7.2f}")
assert frechet(drawn["best"], reference) < frechet(drawn["fast"], reference) < frechet(drawn["tutorial"], reference)

# %% [markdown] lang="en"
# Does your one line agree with inkgan's, which is built for accuracy?

# %% [markdown] lang="zh" of="ebf7bf96"
# inkgan 里有一个力求精确的版本，你这一行算出的和它一样吗？

# %%
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance

theirs = frechet_distance(GaussianStatistics.of(drawn["fast"]), GaussianStatistics.of(reference))
print("difference:", abs(theirs - frechet(drawn["fast"], reference)))
assert abs(theirs - frechet(drawn["fast"], reference)) < 1e-6

# %% [markdown] lang="en"
# ## What is a good value?
#
# A distance of 1: good or bad? Measure images that are as good as can be: real ones that nobody trained on. Their
# distance is the **floor**. And how much does it depend on the number of images? Guess: what is the distance between
# two sets of real digits, with 125, 250, 500 and 1,000 images each?

# %% [markdown] lang="zh" of="ee9260c2"
# ## 多少算好？
#
# 距离为 1，是好还是坏？拿最好的图来量，也就是没参加过训练的真图：它们的距离就是**下限**（floor）。
# 距离和图的数量有多大关系？猜一猜：两组真数字之间的距离，每组 125、250、500、1,000 张时各是多少？

# %%
real = mnist.test.images[random.permutation(10000)[:N]]
held_out = network(real).astype(np.float64)
sizes = (125, 250, 500, 1000)
floors = [frechet(held_out[:n], reference[:n]) for n in sizes]
for n, floor in zip(sizes, floors, strict=True):
    print(f"{n:5} images a side: {floor:.2f}")

# %% full=true
assert floors == sorted(floors, reverse=True)
assert floors[0] > 2 * floors[-1]

# %% [markdown] lang="en"
# Real against real is not 0, and with few images it is far from it. Nothing is wrong with these digits: few points give
# a crude covariance, and since the errors of the two sides differ, they make the distance larger. (`best` lies a little
# below this floor: it imitates the training images themselves, and other people wrote the held-out ones.) So never
# compare a distance from 1,000 images with one from 10,000, and always put the floor beside it, from the same number of
# images. `inkgan evaluate` does both.
#
# ## How sure is a number?
#
# Draw another 1,000 images from the same generator, and you get another distance. How much does it move?

# %% [markdown] lang="zh" of="6b2d09a9"
# 真图对真图也不是 0，图少的时候更是远大于 0。不是这些数字有问题，而是点太少，协方差估得粗；两边的误差各不相同，所以总是让距离偏大。（`best` 比这个下限还略低：它模仿的就是训练图，而留出的图是另一些人写的。）
# 所以绝不能拿 1,000 张图的距离和 10,000 张图的比，而且永远要在旁边列出同样数量下的下限。`inkgan evaluate` 两样都做。
#
# ## 一个数有多可靠？
#
# 同一个生成器，另画 1,000 张，距离就变了。变多少？

# %% short=["range(6)", "range(3)"]
again = [frechet(network(fast.sample(N, seed=seed)[..., None]).astype(np.float64), reference) for seed in range(6)]
print("distances:", [round(float(x), 2) for x in again], "  spread:", round(float(np.std(again)), 2))
print("two of them differ by up to", round(float(max(again) - min(again)), 2))

# %% full=true
assert 0.05 < np.std(again) < 0.5

# %% [markdown] lang="en"
# These are all the *same* generator. If your improvement is smaller than this, you have found nothing. Look back: with
# the first 1,000 images of each, `best` had 1.88 and `fast` 2.12. That is no further apart than two of these six are,
# so these two numbers alone do not show that `best` is better. (More images do: see [the
# results](../../docs/results.md).) inkgan prints a 95 % interval with each figure. It says how much another draw of
# images would change the figure: of 100 intervals made like this, about 95 contain the mean figure of very many such
# draws. It cannot say how much another *training* would change the figure. For that you must train with several seeds.
#
# ## What the distance cannot see
#
# One number cannot say everything. Here are real digits as they are, three ruined sets of them, and training images.
# Which of them will the distance notice, and will it tell them apart?

# %% [markdown] lang="zh" of="a7cc6607"
# 这些都出自**同一个**生成器。如果你的改进比这点波动还小，那就等于什么也没发现。回头看前面：`best` 是 1.88，`fast` 是 2.12，只差 0.24，而同一个 `fast`，两次就能差到 0.28，所以光凭这两个数，还不能说 `best` 更好。（图多了就能，见[结果](../../docs/results.md)，英文。）inkgan 的每个指标都带 95% 的区间，表示换一批图会变多少。假如“换一批图，再算一次”重复极多次，所得的平均就是一个固定的值；照这样求出的区间，100 个里大约有 95 个包含它。
# 但区间说不出重新**训练**一次会变多少，要知道这个，只能用好几个种子各训练一次。
#
# ## 距离看不见的东西
#
# 一个数不可能说明一切。下面有一组原样的真数字，三组故意弄坏的，还有一组训练图。距离能察觉哪几组？又分得清它们吗？

# %%
without_threes = np.flatnonzero(mnist.test.labels != 3)
ruined = {
    "as they are": real,
    "noise": np.clip(real + random.normal(0, 60, real.shape), 0, 255).astype(np.uint8),
    "no threes": mnist.test.images[random.permutation(without_threes)[:N]],
    "50 images, 20 times": np.repeat(real[:50], 20, axis=0),
    "training images": some_training,
}
seen = {name: network(some).astype(np.float64) for name, some in ruined.items()}
for name, found in seen.items():
    print(f"{name:22} {frechet(found, reference):7.2f}")
sheet(np.concatenate([some[:200:20] for some in ruined.values()]), columns=10)

# %% [markdown] lang="en"
# One row for each set; the fourth shows ten of its fifty images. Noise, missing threes and repeated images all raise
# the distance. The number does not say which of these it was. And the last row has a distance of 0, the best of all: a
# generator that copies the training images is perfect by this measure.
#
# ## Precision and recall
#
# Two questions, asked separately ([Kynkäänniemi et al. 2019](https://arxiv.org/abs/1904.06991)). **Precision**: how
# many generated images look like some real one? **Recall**: how many real images look like some generated one? "A looks
# like B" means: A is no farther from B than B's fifth-nearest neighbour in B's own set is.

# %% [markdown] lang="zh" of="def46f55"
# 图中每组一行，第四行是那五十张里的十张。噪声、缺了“3”、重复的图，都让距离变大，但这个数不说是哪一种。而最后一组的距离是 0，比谁都好：
# 照抄训练图的生成器，用这把尺子量是完美的。
#
# ## 精确率和召回率
#
# 两个问题分开问（[Kynkäänniemi 等 2019](https://arxiv.org/abs/1904.06991)）。**精确率**（precision）：生成的图里，有多少像某张真图？**召回率**（recall）：真图里，有多少像某张生成的图？
# “A 像 B”的意思是：A 到 B 的距离，不超过 B 到自己那一组里第五近邻的距离。


# %%
def distances(a, b):
    """All distances of the rows of a to those of b: [N, M]."""
    return np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0))


def share_within(points, centres, k=5):
    """The share of points that lie in the ball around some centre that reaches to its k-th neighbour."""
    radii = np.sort(distances(centres, centres), axis=1)[:, k]  # column 0 is the centre itself
    return (distances(points, centres) <= radii[None]).any(axis=1).mean()


def precision_and_recall(generated, real):
    return share_within(generated, real), share_within(real, generated)


table = {name: precision_and_recall(found, reference) for name, found in {**seen, **drawn}.items()}
for name, (precision, recall) in table.items():
    print(f"{name:22} precision {precision:.2f}   recall {recall:.2f}")
assert table["noise"][0] < 0.8 * table["as they are"][0]
assert table["50 images, 20 times"][0] > 0.9
assert table["50 images, 20 times"][1] < 0.1
assert table["tutorial"][1] < 0.2 < table["fast"][1]

# %% [markdown] lang="en"
# Noise costs both: no noisy digit looks like a real one, nor the other way round. Fifty repeated images keep their
# precision, since each is a real digit, and lose their recall. That is mode collapse in two numbers. The tutorial's
# generator has a fair precision and very little recall: about four in five of its images lie close to a real digit, and
# they are of few kinds.
#
# Did you expect fewer, from its pictures? The fewer the real images, the farther away is the fifth-nearest neighbour,
# the larger are the balls, and the more images lie in one. [With 10,000 real images](../../docs/experiments.md), the
# same generator has a precision of 0.56. So compare these two, too, only at the same number of images.
#
# `inkgan evaluate` also prints **coverage** ([Naeem et al. 2020](https://arxiv.org/abs/2002.09797)): the share of real
# images that have a generated one in their own ball. It asks the same as recall, but uses the balls of real images
# only, so that a few odd generated images with very large balls cannot raise it.
#
# Missing threes hardly show even here: nine tenths of everything are fine. To see that, count the classes.

# %% [markdown] lang="zh" of="c94b8b1a"
# 噪声把两样都毁了：带噪声的图不像任何真数字，反过来也一样。五十张反复出现的图，精确率不减，因为张张是真数字，召回率却没了。这就是用两个数表达的模式崩溃。
# 教程的生成器精确率尚可，召回率极低：五张里大约有四张离某张真图很近，种类却很少。
#
# 看过它的图，你是不是觉得不该有这么多？真图越少，第五近邻就越远，“像”的范围就越大，落进去的图也就越多。[用 10,000 张真图](../../docs/experiments.md)（英文）来算，同一个生成器的精确率是 0.56。所以精确率和召回率也一样，图的数量相同才能比较。
#
# `inkgan evaluate` 还会给出**覆盖率**（coverage，[Naeem 等 2020](https://arxiv.org/abs/2002.09797)）：有多少真图，在自己到第五近邻的范围里找得到一张生成的图。它问的和召回率一样，但范围只由真图决定，所以几张古怪的生成图就算范围极大，也抬不高它。
#
# 缺了“3”，在这里也几乎看不出来：毕竟十分之九都没问题。要发现它，得数类别。

# %%
for name in ("as they are", "no threes"):
    counts = np.bincount(network.probabilities(ruined[name]).argmax(1), minlength=10)
    print(f"{name:12}", counts)
assert counts[3] < 20

# %% [markdown] lang="en"
# ## Does it copy?
#
# For each generated image, look for the nearest training image. If a generator copies, its images are nearer to the
# training images than new real digits are. Which of these rows are copies? Odd columns: an image; even columns: its
# nearest training image.

# %% [markdown] lang="zh" of="2ee19387"
# ## 它在抄吗？
#
# 给每张生成的图找出最近的训练图。如果生成器在抄，它的图会比真正的新数字离训练图更近。下面哪几行是抄的？
# 奇数列是一张图，偶数列是离它最近的训练图。

# %% short=["[:10000]", "[:1000]"]
known = mnist.train.images[:10000]
training = network(known).astype(np.float64)
rows, medians = [], {}
for name, some in {"new": real[:300], "copies": known[:300], "best": best.sample(300, seed=2)[..., None]}.items():
    apart = distances(network(some).astype(np.float64), training)
    medians[name] = np.median(apart.min(axis=1))
    rows += [image for i in range(6) for image in (some[i], known[apart[i].argmin()])]
    print(f"{name:7} median distance to the nearest training image: {medians[name]:.2f}")
sheet(np.stack(rows), columns=12)

# %%
assert medians["copies"] < 0.1
assert 0.7 * medians["new"] < medians["best"] < 1.5 * medians["new"]

# %% [markdown] lang="en"
# The second row shows copies. `best` draws digits that are about as far from the training images as new real digits
# are: it learned handwriting, not these images. (We searched only the first 10,000 of the 55,000, to save time. A full
# check searches them all.)
#
# ## A verdict
#
# Put it together. Someone changed a setting, trained once before and once after, and reports an improvement. We act
# this out with *one* generator that draws with two seeds, so we know that there is no difference. What does inkgan say?

# %% [markdown] lang="zh" of="7aa052fb"
# 第二行是抄的。`best` 画的数字，离训练图的距离和真正的新数字差不多：它学会的是写字，不是这些图。（为了省时间，这里只搜了 55,000 张里的前 10,000 张；彻底的检查要全部搜一遍。）
#
# ## 下结论
#
# 现在把这些都用上。有人改了一个设置，前后各训练一次，宣布有改进。我们用**同一个**生成器、两个种子来演这出戏，
# 所以明知没有差别。inkgan 会怎么说？

# %%
first = fast.sample(N, seed=11), fast.labels_for(N)
second = fast.sample(N, seed=12), fast.labels_for(N)
weaker = tutorial.sample(N, seed=11)
same = inkgan.compare(first, second)
for difference in same.pairs[0].differences[:4]:
    print(f"{difference.figure:24} {difference.first:7.3f} {difference.second:7.3f}   {difference.verdict}")
print("verdict:", same.pairs[0].verdict)

# %% [markdown] lang="en"
# The figures differ, and the verdict does not fall for it. (Above, `fast` had a distance of about 2; here it has
# less, because the reference is all 55,000 training images. Two figures are new: the kernel distance assumes no bell
# curve, and accuracy is the share of images that are read as the digit that was asked for.) Against the tutorial's
# generator, which cannot be asked for a digit and so has no accuracy, it is another matter:

# %% [markdown] lang="zh" of="2098866c"
# 各项指标的数值都不一样，结论却是 `indistinguishable`（分不出高低），没有上当。（前面 `fast` 的距离是 2 左右，这里小一些，因为参照是全部 55,000 张训练图。有两个指标是新的：kernel_digit_distance 是核距离，它不假定正态分布；accuracy 是准确率，也就是读出来正是要画的那个数字的比例。）
# 和教程的生成器相比，就是另一回事了（`worse` 是更差；教程的生成器不能指定画哪个数字，所以没有 accuracy）：

# %%
unlike = inkgan.compare(first[0], weaker)
for difference in unlike.pairs[0].differences[:4]:
    print(f"{difference.figure:24} {difference.first:7.3f} {difference.second:7.3f}   {difference.verdict}")
print("verdict:", unlike.pairs[0].verdict)
assert same.pairs[0].verdict != unlike.pairs[0].verdict

# %% [markdown] lang="en"
# How does it decide? Each difference has an interval, too. If that contains 0, there may be no difference at all; if
# not, it is a finding. With groups of runs, `inkgan compare 'runs/before-*' 'runs/after-*'`, the interval also covers
# the luck of training.
#
# ## Exercises
#
# Try each before you unfold its solution, and the answer below it.
#
# **1.** Shift all digits by two pixels. Every image is still a fine digit. What do the distance and precision say?

# %% [markdown] lang="zh" of="5ab2764b"
# 它怎样判断？每个差值也有自己的区间。区间包含 0，就可能根本没有差别；不包含 0，才算发现。
# 如果比较的是几组训练，`inkgan compare 'runs/before-*' 'runs/after-*'`，区间还会把训练的运气也算进去。
#
# ## 练习
#
# 每题先自己试，再展开参考代码和下面的答案。
#
# **1.** 把所有数字平移两个像素。每张仍是好好的数字。距离和精确率怎么说？

# %% solution=true
shifted = network(np.roll(real, 2, axis=1)).astype(np.float64)
precision, recall = precision_and_recall(shifted, reference)
print(f"distance {frechet(shifted, reference):.2f}, precision {precision:.2f}, recall {recall:.2f}")

# %% full=true solution=true
assert frechet(shifted, reference) > 5 * frechet(held_out, reference)

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# The distance rises clearly, and precision falls from 0.96 to 0.80, although no digit became worse: MNIST's digits are
# centred, so "not centred" is a difference. A measure says what differs from the data, not what people find beautiful.
#
# </details>
#
# **2.** Mix: half of the images from `best`, half from `tutorial`. Which figure shows it most clearly?

# %% [markdown] lang="zh" of="f34dd4b3"
# <details><summary>答案</summary>
#
# 距离明显变大，精确率从 0.96 降到 0.80，尽管没有一个数字变差：MNIST 的数字都是居中的，“不居中”就是差别。尺子量的是和数据有什么不同，不是人觉得好不好看。
#
# </details>
#
# **2.** 混合：一半图来自 `best`，一半来自 `tutorial`。哪个指标最能看出来？

# %% solution=true
mixed = np.concatenate([drawn["best"][: N // 2], drawn["tutorial"][: N // 2]])
precision, recall = precision_and_recall(mixed, reference)
print(f"distance {frechet(mixed, reference):.2f}, precision {precision:.2f}, recall {recall:.2f}")

# %% full=true solution=true
assert recall > 0.8
assert precision < 0.9

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# The distance: it is nearly four times that of `best`. Precision shows the bad half, too, and can even be predicted:
# each half brings its own, so the mixture has about their mean, (0.97 + 0.79) / 2 = 0.88. Recall stays high, because
# the good half covers the real digits. Read all three together.
#
# </details>
#
# **3.** Write coverage yourself, with `distances`: how many real images have a generated one no farther away than their
# own fifth-nearest real neighbour? Compute it for real digits as they are, for the fifty repeated images, for `fast` and
# for the tutorial. (To check it: `manifold_estimates(reference, drawn["fast"], random)["coverage"]`, from
# `inkgan.evaluation.metrics.neighbours`, is inkgan's.) Whose coverage is much higher than its recall, and why?

# %% [markdown] lang="zh" of="acbf544d"
# <details><summary>答案</summary>
#
# 距离最明显，差不多是 `best` 的四倍。精确率也看得出坏的那一半，还能事先算出来：两半各带来自己的精确率，混合之后大约是两者的平均，(0.97 + 0.79) / 2 = 0.88。召回率仍然高，因为好的那一半覆盖了真数字。三个数要放在一起读。
#
# </details>
#
# **3.** 用 `distances` 自己写出覆盖率：有多少真图，在自己到第五近邻（也是真图）的距离之内，找得到一张生成的图？给原样的真数字、那五十张反复出现的图、`fast` 和教程各算一个。（要核对，可以用 `inkgan.evaluation.metrics.neighbours` 里的 `manifold_estimates(reference, drawn["fast"], random)["coverage"]`，那是 inkgan 算的。）谁的覆盖率比召回率高出许多？为什么？

# %% solution=true
from inkgan.evaluation.metrics.neighbours import manifold_estimates


def coverage(generated, real, k=5):
    radii = np.sort(distances(real, real), axis=1)[:, k]  # column 0 is the image itself
    return (distances(real, generated) <= radii[:, None]).any(axis=1).mean()


for name in ("as they are", "50 images, 20 times", "fast", "tutorial"):
    found = {**seen, **drawn}[name]
    mine = coverage(found, reference)
    theirs = manifold_estimates(reference, found, random)["coverage"].value
    print(f"{name:22} coverage {mine:.3f}   inkgan's {theirs:.3f}")
    assert abs(mine - theirs) < 0.01  # inkgan computes with 32 bits: a digit on an edge may fall on the other side

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# That of the fifty repeated images: their recall is 0, their coverage is not. For recall, the balls are those of the
# generated images, and the nearest neighbours of each of these are its own copies, at distance 0: the balls have shrunk
# to points. For coverage, the balls are those of the real images, and copies leave them as they are. The tutorial's is
# higher, too, but still far below `fast`, which comes close to real digits.
#
# </details>
#
# ## Can you answer these?
#
# <details><summary>Why is the distance of real to real digits not 0?</summary>
#
# Few points give crude covariances, and different people wrote the two sets.
#
# </details>
#
# <details><summary>Precision 0.95, recall 0.05: what happened?</summary>
#
# Mode collapse: good images, few kinds.
#
# </details>
#
# <details><summary>Your change lowers the distance by 0.03. What do you do next?</summary>
#
# Look at the interval; train with more seeds on both sides.
#
# </details>

# %% [markdown] lang="zh" of="fa9ea82e"
# <details><summary>答案</summary>
#
# 那五十张反复出现的图：召回率是 0，覆盖率却不是。算召回率时，范围是生成的图的，而这些图的近邻就是自己的复本，距离为 0，范围缩成了一个点。算覆盖率时，范围是真图的，有没有复本都一样。
# 教程的也高一些，但仍远远低于 `fast`，后者已经接近真数字。
#
# </details>
#
# ## 自测
#
# <details><summary>真数字对真数字，距离为什么不是 0？</summary>
#
# 点太少，协方差估得粗；而且两组数字是不同的人写的。
#
# </details>
#
# <details><summary>精确率 0.95，召回率 0.05，发生了什么？</summary>
#
# 模式崩溃：图很好，种类很少。
#
# </details>
#
# <details><summary>你的改动让距离降低了 0.03，下一步做什么？</summary>
#
# 看区间；两边都多训练几个种子。
#
# </details>
