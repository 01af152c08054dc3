# %% [markdown] lang="en"
# # 6 · From then to now
#
# The tutorial needs two hours and draws few digits well. inkgan's `fast` needs one to three minutes and draws all of
# them. What lies between the two? Five ideas, found between 2014 and 2024. In this lesson you add them one at a time,
# like the rungs of a ladder. Rungs 1 to 5 all get the same number of steps, and you see what each one brings and costs.
# All the computing takes about a minute.

# %% [markdown] lang="zh" of="d6146267"
# # 6 · 从那时到现在
#
# 那篇教程要两个小时，画得好的数字没有几个。inkgan 的 `fast` 只要一到三分钟，全都画得出来。差在哪里？
# 差在 2014 到 2024 年间的五个想法。这一课像爬梯子一样，一级加一个想法。第 1 级到第 5 级步数相同，看每个想法带来什么、代价多大。
# 全部计算大约一分钟。

# %% [markdown] lang="en"
# ## The starting point
#
# First the tutorial itself. One of its steps takes more than thirty times as many multiplications as a step on the
# rungs to come, so it gets fewer steps. What do you expect after 8 steps? We measure with the Fréchet distance of
# lesson 5, with 1,000 images.

# %% [markdown] lang="zh" of="c30d27b5"
# ## 起点
#
# 先看教程本身。它的一步，乘法次数是后面那些网络的三十多倍，所以给它的步数少一些。8 步之后，你预计会怎样？
# 我们用第 5 课的 Fréchet 距离来量，每次 1,000 张图。

# %% short=["STEPS, COUNT = 8, 150, 1000", "STEPS, COUNT = 1, 4, 160", 'climb("tutorial", "tutorial", TUTORIAL_STEPS, ', 'climb("tutorial", "fast", STEPS, ']
import time

import numpy as np
import torch

import inkgan
from inkgan.data import load
from inkgan.evaluation.reference import quick_measure
from inkgan.images import curves, sheet

TUTORIAL_STEPS, STEPS, COUNT = 8, 150, 1000
torch.set_num_threads(1)  # networks this small are not worth sharing
mnist = load("mnist")
measure = quick_measure(mnist)
distances, accuracies, costs, rows = {}, {}, {}, {}


def climb(name, recipe, steps, seed=1, **settings):
    """Train a rung of the ladder, measure it, and return a picture of 20 images; say so if the rung breaks."""
    since = time.process_time()
    quiet = {f"watch.{what}_every": 0 for what in ("log", "show", "grid", "doctor")}
    distances[name], accuracies[name], costs[name] = np.inf, 0.0, np.nan
    rows[name] = np.empty((0, 28, 28), np.uint8)  # a rung that breaks has no images
    try:
        result = inkgan.train(
            recipe,
            steps=steps,
            seed=seed,
            out=f"runs/{name}",
            precision="float32",
            device="cpu",
            force=True,
            settings={**quiet, **settings},
            watcher=inkgan.Watcher(),
        )
        costs[name] = time.process_time() - since
        model = inkgan.load(result.folder)
        drawn, labels = np.asarray(model.sample(COUNT)), model.labels_for(COUNT)
        found = measure(drawn[..., None], labels)
    except inkgan.InkganError as error:
        print(f"{name} breaks: {error}")
        return None
    distances[name], accuracies[name] = found["frechet_digit_distance"], found.get("accuracy")
    rows[name] = drawn[:20]
    print(
        f"{name}: distance {distances[name]:.1f}"
        + (f", right digit {accuracies[name]:.0%}" if labels is not None else "")
    )
    return sheet(drawn[:20], columns=20)


held_out = mnist.test
some = np.random.default_rng(0).permutation(len(held_out))[:COUNT]
floor = measure(held_out.images[some], held_out.labels[some])["frechet_digit_distance"]
print(f"real digits that nobody trained on: distance {floor:.1f}")
climb("tutorial", "tutorial", TUTORIAL_STEPS, pretraining_steps=2)

# %% full=true
assert distances["tutorial"] > 100
assert floor < 2

# %% [markdown] lang="en"
# Fog, as in lesson 1. The line printed above it is the floor: real digits that nobody trained on. It is lower than in
# lesson 5, because the reference here is all 55,000 training images; there it was 1,000 ([the metrics in
# depth](../../docs/metrics.md)).
#
# ## Rung 1: networks that fit the machine
#
# The tutorial's generator works on maps of 56×56, larger than the image. The compact networks do nearly all of their
# work at 7×7 and 14×14 and use 3×3 kernels. There is no normalisation in either network, so every image depends on its
# own latent only. (In the discriminator, batch normalisation also lets images of a batch talk to each other.) The loss
# is the same as before. The settings in the cell switch off what today's recipe `fast` has; each further rung drops one
# of these settings. How far do you get in 150 steps?

# %% [markdown] lang="zh" of="d290f9cb"
# 一片雾，和第 1 课一样。上面还打印了没参加过训练的真数字的距离，也就是下限。它比第 5 课的低，因为这里拿全部 55,000 张训练图作参照，
# 那里只用了 1,000 张（[指标详解](../../docs/metrics.md)，英文）。
#
# ## 第 1 级：适合机器的网络
#
# 教程的生成器在 56×56 的特征图上工作，比图像本身还大。紧凑的网络几乎把所有计算都放在 7×7 和 14×14 上，用 3×3 的卷积核。
# 两个网络里都没有归一化，所以每张图只取决于自己的隐变量。（判别器里如果有批归一化，同一批的图还会互相“串通”。）损失和之前一样。
# 下面单元里的那些设置，把今天的配方 `fast` 所用的几个想法都关掉了；以后每上一级，就去掉其中一个设置。150 步能走多远？

# %%
plain = {"batch_size": 32, "generator.channels": 24, "discriminator.channels": 24}
without_labels = {"conditional": False, "class_weight": 0.0}
then = {"loss": "non-saturating", "penalty.weight": 0.0}
no_average = {"ema_half_life": 0.0}
climb("compact", "fast", STEPS, **plain, **without_labels, **then, **no_average)

# %% [markdown] lang="en"
# Something like strokes. And what does a step cost? Seconds differ from machine to machine, so count multiplications.

# %% [markdown] lang="zh" of="adb22708"
# 有点笔画的样子了。一步要花多少？秒数因机器而异，所以数一数乘法。

# %%
from torch.utils.flop_counter import FlopCounterMode

from inkgan.config import resolve
from inkgan.training.loop import Batches
from inkgan.training.recipe import StepInfo
from inkgan.training.start import build


def multiplications(recipe, **settings):
    """How many multiplications a step takes."""
    config, cpu = resolve(options={"recipe": recipe, **settings}), torch.device("cpu")
    networks = build(config, mnist.image_shape, 10, cpu, torch.float32)
    real, labels = Batches(mnist, config, cpu).batch(0)
    with FlopCounterMode(display=False) as counter:
        networks.step(StepInfo(0, 0, 0.0), real, labels)
    return counter.get_total_flops() // 2


tutorials, ours = multiplications("tutorial"), multiplications("fast", **plain, **without_labels, **then)
print(f"a step of the tutorial: {tutorials / 1e6:,.0f} million multiplications; of these networks: {ours / 1e6:,.0f}")
assert tutorials > 30 * ours

# %% [markdown] lang="en"
# A step of the tutorial takes about 36 times as many multiplications. Part of that is width and batch: these rungs have
# half the channels of `fast`, and batches of 32, where the tutorial has 50. For each image it is still more than twenty
# times as many.
#
# ## Rung 2: labels
#
# MNIST says which digit each image shows. Give the label to both networks: the generator is asked for a 7, and the
# discriminator judges whether it is a real *7* ([Mirza and Osindero 2014](https://arxiv.org/abs/1411.1784); the
# discriminator also learns to name classes, [Odena et al. 2017](https://arxiv.org/abs/1610.09585)). What will change:
# the quality, or something else? From now on we also print how many images a classifier reads as the digit that was
# asked for.

# %% [markdown] lang="zh" of="c3b5c670"
# 教程的一步要做将近 69 亿次乘法，这些网络只要大约 1.9 亿次，相差 36 倍左右。其中有宽度和每批张数的功劳：这几级的通道数只有 `fast` 的一半，每批 32 张，而教程是 50 张。但按每张图算，也还差二十多倍。
#
# ## 第 2 级：标签
#
# MNIST 写明了每张图是哪个数字。把标签告诉两个网络：要生成器画一个“7”，让判别器判断它是不是真的“**7**”（[Mirza 和 Osindero 2014](https://arxiv.org/abs/1411.1784)；判别器同时学习说出类别，[Odena 等 2017](https://arxiv.org/abs/1610.09585)）。会变的是质量，还是别的什么？
# 从这里起还会打印一个比例：分类器把多少图读成了所要的数字。

# %%
climb("labels", "fast", STEPS, **plain, **then, **no_average)

# %% [markdown] lang="en"
# The distance falls a little here; on another processor it rose. After so few steps that is luck. What you win is that
# you can *ask*: the columns go from 0 to 9, twice. And a generator that is asked for every digit does not forget one as
# easily as the tutorial's forgot the zeros. (It still can, as number 9 of lesson 4 shows.)
#
# Can you read more of them than the classifier does? It has learned only from digits on clean paper, and it misjudges
# digits on grey: 10 % is what guessing would give.
#
# ## Rung 3: pairs
#
# The old loss judges each generated image alone: is its logit above 0? A few safe motifs are enough to satisfy it. The
# *relativistic* loss puts every generated image beside a real one of the same class and asks which looks more real
# ([Jolicoeur-Martineau 2018](https://arxiv.org/abs/1807.00734)). If every real image must be matched, a few motifs are
# not enough.

# %% [markdown] lang="zh" of="8c5e73f1"
# 距离在这里降了一些，换一种处理器却升了：才这么几步，只是运气。真正的好处是可以**点名**：各列从 0 到 9，排两遍。
# 而且每个数字都会被点到，生成器就不那么容易像教程那样忘掉“0”。（不那么容易，但不是不可能：见第 4 课的第 9 种失败。）
#
# 你认得出的，是不是比分类器多？它只见过干净的白纸，到了灰底上就看不准：瞎猜也有 10%。
#
# ## 第 3 级：成对比较
#
# 旧的损失单独判断每张生成的图：它的 logit 是否大于 0？几种稳妥的花样就能应付过去。**相对**损失把每张生成的图和同类的一张真图摆在一起，
# 问哪个更像真的（[Jolicoeur-Martineau 2018](https://arxiv.org/abs/1807.00734)）。既然每张真图都要比得上，几种花样就不够用了。

# %%
climb("pairs", "fast", STEPS, **plain, **{"penalty.weight": 0.0}, **no_average)

# %% full=true
assert distances["pairs"] < 0.8 * distances["labels"]
assert accuracies["pairs"] > accuracies["labels"]

# %% [markdown] lang="en"
# ## Rung 4: a penalty on the discriminator
#
# Lesson 4 showed two networks that circle and a discriminator that wins. The steeper the discriminator's logits change
# from one image to the next, the more easily it wins, and the farther it drives a generator that circles. So charge it
# for steepness: R1 is the squared length of the gradient of its logit with respect to the pixels, averaged over real
# images, and R2 is the same for generated ones ([Mescheder et al. 2018](https://arxiv.org/abs/1801.04406); both
# together with pairs: [Huang et al. 2024](https://arxiv.org/abs/2501.05441)). In the game of lesson 4, x is the image
# and −x·y its logit. So the gradient is −y and the penalty y², which pulls y towards 0. That is friction.
#
# The penalty costs a second backward pass. Must we pay for it in every step?

# %% [markdown] lang="zh" of="db45dec2"
# ## 第 4 级：给判别器加惩罚项
#
# 第 4 课里有两个网络互相绕圈，也有判别器大获全胜。从一张图到另一张图，判别器的 logit 变化得越陡，它就越容易大获全胜，也会把绕圈的生成器甩得越远。
# 那就让陡峭付出代价：求判别器的 logit 对像素的梯度，取长度的平方，在真图上的平均叫 R1，在生成的图上的平均叫 R2（[Mescheder 等 2018](https://arxiv.org/abs/1801.04406)；两者与成对比较合用：[Huang 等 2024](https://arxiv.org/abs/2501.05441)）。
# 在第 4 课那个最简单的博弈里，x 相当于图，−x·y 相当于它的 logit，所以梯度是 −y，惩罚项是 y²：它把 y 往 0 拉，这正是摩擦力。
#
# 这样每步要多做一次反向传播。非得每一步都做吗？

# %%
climb("penalty", "fast", STEPS, **plain, **no_average)

# %% full=true
assert distances["penalty"] < distances["pairs"]

# %% [markdown] lang="en"
# No: this rung paid only once in 8 steps, with 8 times the weight ("lazy regularisation", [Karras et al.
# 2020](https://arxiv.org/abs/1912.04958)). So it costs little. (Did the share of right digits fall, although the
# distance fell, too? They measure different things, and each is one seed after few steps: see exercise 1.)
#
# ## Rung 5: averaging
#
# The generator's weights jitter around a good place, as in the circle of lesson 4. What is the average of a circle?

# %% [markdown] lang="zh" of="056ae4ad"
# 不必：这一级每 8 步才做一次，惩罚项的权重乘 8（即“惰性正则化”，lazy regularization，[Karras 等 2020](https://arxiv.org/abs/1912.04958)），所以很便宜。
# （距离降了，读对的比例却也降了？它们量的是不同的东西，而且步数很少，种子只有一个，见练习 1。）
#
# ## 第 5 级：平均
#
# 生成器的权重在一个好位置附近抖动，就像第 4 课里的圆圈。一个圆圈的平均是什么？

# %%
x, y, mean_x, mean_y = 1.0, 0.0, 1.0, 0.0
far, far_mean = [], []
for _ in range(400):
    x, y = x - 0.05 * y, y + 0.05 * x
    mean_x, mean_y = mean_x + 0.02 * (x - mean_x), mean_y + 0.02 * (y - mean_y)
    far.append(np.hypot(x, y))
    far_mean.append(np.hypot(mean_x, mean_y))
print(f"from the resting point at the end: {far[-1]:.2f}, the moving average {far_mean[-1]:.2f}")
curves(far, far_mean, limits=(0, 2), across=(1, 400))

# %%
assert far_mean[-1] < 0.5 * far[-1]

# %% [markdown] lang="en"
# The height is the distance from the resting point, over 400 steps: blue for the point itself, orange for its moving
# average, which is much nearer. So draw with a moving average of the generator's weights ([Yazıcı et al.
# 2019](https://arxiv.org/abs/1806.04498)). Training does not notice, and the average costs one multiplication per
# weight and step.

# %% [markdown] lang="zh" of="0c6bb780"
# 纵轴是到静止点的距离，横轴是步数，共 400 步：蓝线是点本身，橙线是它的移动平均，近得多。所以画图时用生成器权重的移动平均（[Yazıcı 等 2019](https://arxiv.org/abs/1806.04498)）。训练本身不受影响，代价只是每步每个权重多一次乘法。

# %%
climb("average", "fast", STEPS, **plain)

# %% full=true
assert distances["average"] < distances["penalty"]
assert distances["average"] < 0.7 * distances["labels"]

# %% [markdown] lang="en"
# ## The whole ladder
#
# One row per rung, beginning with the tutorial at the top. The last row is the bundled `fast`: the same recipe with its
# full width, 48 channels, batches of 64 and 2,500 steps.

# %% [markdown] lang="zh" of="42f75078"
# ## 整架梯子
#
# 每级一行，最上面是教程。最后一行是自带的 `fast`：同一套配方，用完整的宽度（48 个通道）、每批 64 张、2,500 步。

# %%
fast = inkgan.load("fast")
drawn, labels = np.asarray(fast.sample(COUNT)), fast.labels_for(COUNT)
found = measure(drawn[..., None], labels)
distances["fast"] = found["frechet_digit_distance"]
for name in ("labels", "pairs", "penalty", "average"):
    print(f"{name}: {costs[name] / costs['compact']:.1f} times the seconds of compact")
for name, distance in distances.items():
    print(f"{name:9} {distance:7.1f}", "#" * int(10 * np.log2(1 + distance)) if distance < np.inf else "broke")
sheet(np.concatenate([*rows.values(), drawn[:20]]), columns=20)

# %% full=true
assert found["frechet_digit_distance"] < 3
assert found["accuracy"] > 0.98

# %% [markdown] lang="en"
# Each # is a tenth of a doubling of (1 + distance): ten fewer mean about half the distance. The times vary by two or
# three tenths from run to run, and the first rung also pays for warming up. So read from them only this: no rung costs
# much.
#
# ## The right arithmetic
#
# One more idea is not about GANs at all. Newer processors multiply numbers of 16 bits (bfloat16) much faster than those
# of 32. bfloat16 has the same range as float32 but only 8 significant binary digits. Where does that do harm? Add a
# small number to a large one.

# %% [markdown] lang="zh" of="b04d151a"
# 每个 # 表示（1 + 距离）翻一倍的十分之一：少十个，距离大约减半。秒数每次运行会差两三成，最先跑的那一级还多了热身的时间，
# 所以只能读出：哪一级都不贵。
#
# ## 合适的数值精度
#
# 还有一个想法和 GAN 无关。较新的处理器做 16 位（bfloat16）乘法比 32 位快得多。bfloat16 能表示的范围和 32 位的数相同，有效数字却只有二进制的 8 位。
# 什么地方会出问题？拿一个大数加一个小数。

# %%
weight, change = torch.tensor(1.0), torch.tensor(0.001)
print("float32: ", (weight + change).item())
print("bfloat16:", (weight.bfloat16() + change.bfloat16()).item())
assert (weight.bfloat16() + change.bfloat16()).item() == 1.0

# %% [markdown] lang="en"
# The step of the weight is lost. So inkgan multiplies in bfloat16 and keeps the weights and Adam's memory in float32
# ([Micikevicius et al. 2018](https://arxiv.org/abs/1710.03740)). It does so where the processor is made for it
# (`precision=auto`); [the results](../../docs/results.md) show how much it brings.
#
# ## Exercises
#
# Try each before you unfold its solution, and the answer below it.
#
# **1.** One seed each: could the order of two rungs be luck? Climb "pairs" and "average" once more with another seed.

# %% [markdown] lang="zh" of="a62504b8"
# 权重走的那一小步丢了。所以 inkgan 用 bfloat16 做乘法，而权重和 Adam 的记忆保存在 float32 里（[Micikevicius 等 2018](https://arxiv.org/abs/1710.03740)）。
# 处理器适合时它才这样做（`precision=auto`），能快多少见[结果](../../docs/results.md)（英文）。
#
# ## 练习
#
# 每题先自己试，再展开参考代码和下面的答案。
#
# **1.** 每级只有一个种子，两级的先后会不会是运气？换一个种子，把“pairs”和“average”再爬一遍。

# %% solution=true
climb("pairs, seed 2", "fast", STEPS, seed=2, **plain, **{"penalty.weight": 0.0}, **no_average)
climb("average, seed 2", "fast", STEPS, seed=2, **plain)
spread = abs(distances["average, seed 2"] - distances["average"])
print(f"another seed moves the distance by {spread:.1f}")

# %% full=true solution=true
assert distances["average, seed 2"] < distances["pairs, seed 2"]

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# The order holds here. But the printed number is the spread of "average" only. Look at "pairs": another seed moved its
# distance by more than 10, and its share of right digits by more than 10 points. That is more than some neighbouring
# rungs are apart, so they can change places. For a claim you need several seeds on both sides. [The
# experiments](../../docs/experiments.md) show what each idea is worth after 300 steps, with two seeds, and much else
# with five or more.
#
# </details>
#
# **2.** Which rung would you give up first if you had to? Look at what each brings, and at what it costs.
#
# <details><summary>Answer</summary>
#
# There is no single answer. Without labels you cannot ask for a digit. In [the experiments](../../docs/experiments.md),
# after 300 steps, leaving out the labels, the penalty or the average at least doubles the distance. Without pairs
# it rises only from 4.1 to 5.5. So the order of the rungs counts, too: after 150 steps, with no penalty and no average,
# the pairs brought the most.
#
# </details>
#
# **3.** Is the penalty really friction? Take the game of lesson 4 and punish only y, as R1 does: in each step, subtract
# 0.05 · w · y from y, too. How large must w be for the circle to shrink?

# %% [markdown] lang="zh" of="dd27ebe3"
# <details><summary>答案</summary>
#
# 先后不变。不过打印出来的差别只是“average”的。看看“pairs”：换一个种子，距离变了 10 以上，读对的比例变了 10 个百分点以上，比有些相邻两级之间的差别还大，所以它们完全可能换位。
# 要下结论，两边都得有好几个种子。[实验记录](../../docs/experiments.md)（英文）里有每个想法在 300 步之后的价值，用两个种子；其他许多实验用了五个或更多。
#
# </details>
#
# **2.** 如果必须放弃一级，你先放弃哪一级？看看每级带来什么、代价多大。
#
# <details><summary>答案</summary>
#
# 没有唯一答案。没有标签，就不能点名要哪个数字。在[实验记录](../../docs/experiments.md)（英文）里，300 步之后，去掉标签、惩罚项或平均中的任何一样，距离都至少翻一倍；不用成对比较，距离只从 4.1 升到 5.5。可见先后次序也有关系：在这架梯子上，150 步，还没有惩罚项和平均，成对比较带来的最多。
#
# </details>
#
# **3.** 惩罚项真的是摩擦力吗？拿第 4 课的博弈来试，像 R1 那样只罚 y：每走一步，再从 y 里减去 0.05 · w · y。w 要多大，圆圈才会收小？

# %% solution=true
for weight in (0.0, 0.04, 0.06, 0.1, 0.5):
    x, y = 1.0, 0.0
    for _ in range(400):
        x, y = x - 0.05 * y, y + 0.05 * x - 0.05 * weight * y
    print(f"w = {weight}: distance {np.hypot(x, y):.2f}")
assert np.hypot(x, y) < 0.1

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# It is: the circle shrinks as soon as w is larger than the learning rate, 0.05. Without friction, each step makes the
# squared distance 1 + 0.05² times as large. Friction takes about 2 · 0.05 · w · y² from it, and over a circle y² is
# half the squared distance on average: that is a share of 0.05 · w. The two balance at w = 0.05. Punishing y is enough;
# x comes to rest with it.
#
# </details>
#
# ## Can you answer these?
#
# <details><summary>Why is there no batch normalisation in <code>fast</code>?</summary>
#
# An image should depend on its own latent only; and without it a step is cheaper.
#
# </details>
#
# <details><summary>What does the penalty turn the discriminator into?</summary>
#
# A smooth function, which cannot win by being steep.
#
# </details>
#
# <details><summary>Why average the weights and not the images?</summary>
#
# An average of images is a blur, as lesson 7 shows; the average of nearby weights is still a network.
#
# </details>

# %% [markdown] lang="zh" of="d69a1c10"
# <details><summary>答案</summary>
#
# 是的：w 一超过 0.05（每一步的学习率），圆圈就收小。没有摩擦时，每一步让距离的平方变成 1 + 0.05² 倍；摩擦从中减去大约 2 · 0.05 · w · y²，而转一圈下来，y² 平均是距离平方的一半，所以减去的比例大约是 0.05 · w。两者在 w = 0.05 时正好抵消。
# 只罚 y 就够了，x 会跟着停下来。
#
# </details>
#
# ## 自测
#
# <details><summary><code>fast</code> 里为什么没有批归一化？</summary>
#
# 一张图应该只取决于自己的隐变量；而且去掉批归一化，每一步都更便宜。
#
# </details>
#
# <details><summary>惩罚项把判别器变成什么样？</summary>
#
# 一个平滑的函数，不能靠陡峭取胜。
#
# </details>
#
# <details><summary>为什么平均权重，而不平均图像？</summary>
#
# 图像的平均是一团模糊，第 7 课会看到；相近的权重平均起来仍是一个网络。
#
# </details>
