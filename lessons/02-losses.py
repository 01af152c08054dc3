# %% [markdown] lang="en"
# # 2 · The losses
#
# Two networks, so two losses. In this lesson you compute them by hand for three images, see which gradient flows where,
# and draw that gradient onto the pixels. At the end you will know why the generator's loss is not simply the
# discriminator's with the sign changed.

# %% [markdown] lang="zh" of="70c999eb"
# # 2 · 损失函数
#
# 两个网络，两个损失。这一课先为三张图手算损失，再看梯度流向哪里，并把梯度画到像素上。
# 学完你会明白：为什么不能把判别器的损失变个号，就当作生成器的损失。

# %% [markdown] lang="en"
# ## How wrong is an answer?
#
# The discriminator saw three images. It gave a real one 0.9, as the probability of being real, and two generated ones
# 0.2 and 0.6. Which answer is the worst, and how bad are the three on average?
#
# For each answer, **cross-entropy** charges −log(probability given to the truth), with the natural logarithm. For the
# first image the truth is "real": −log 0.9. For the other two it is "generated", which got 0.8 and 0.4.

# %% [markdown] lang="zh" of="c76443de"
# ## 一个回答错得有多离谱？
#
# 判别器看了三张图。对一张真图，它说为真的概率是 0.9；对两张生成的图，它说 0.2 和 0.6。哪个回答最差？三个回答平均有多差？
#
# **交叉熵**（cross-entropy）这样算一个回答的代价：−log（给正确答案的概率），这里的 log 是自然对数。第一张的正确答案是“真”，代价是 −log 0.9；
# 另外两张的正确答案是“生成的”，判别器给这个答案的概率分别是 0.8 和 0.4。

# %%
import math

import numpy as np
import torch
from torch.nn import functional as F

from inkgan.images import curves, sheet, to_uint8

said = torch.tensor([0.9, 0.2, 0.6])
truth = torch.tensor([1.0, 0.0, 0.0])
by_hand = [-math.log(0.9), -math.log(1 - 0.2), -math.log(1 - 0.6)]
print("charged:", [round(x, 3) for x in by_hand], "  mean:", round(sum(by_hand) / 3, 3))
assert math.isclose(sum(by_hand) / 3, F.binary_cross_entropy(said, truth).item(), rel_tol=1e-6)

# %% [markdown] lang="en"
# The third answer costs by far the most. Being a little wrong is cheap; being sure and wrong is expensive. The curve
# shows −log p for p from 0.01 to 1.

# %% [markdown] lang="zh" of="c470933e"
# 第三个回答的代价远远高于其他两个。错一点点，代价很小；又错又自信，代价就大了。下面的曲线，横轴是 p，从 0.01 到 1，纵轴是 −log p。

# %%
p = np.linspace(0.01, 1, 200)
curves(-np.log(p), across=(0.01, 1))

# %% [markdown] lang="en"
# ## Why do we work with logits?
#
# A network returns a logit l, and p = σ(l). What happens to −log(1 − σ(l)) when the discriminator is very sure, say
# l = 100?

# %% [markdown] lang="zh" of="911a62e3"
# ## 为什么用 logit 来算？
#
# 网络返回的是 logit，记作 l，概率 p = σ(l)。如果判别器非常有把握，比如 l = 100，−log(1 − σ(l)) 会变成什么？

# %%
logit = torch.tensor(100.0)
naive = -torch.log(1 - torch.sigmoid(logit))
print("naive:", naive.item(), "  softplus:", F.softplus(logit).item())
assert naive.isinf()
assert F.softplus(logit) == 100

# %% [markdown] lang="en"
# The naive way gives infinity, because σ(100) is rounded to 1. But 1 − σ(l) is 1 / (1 + e^l), so the same number is
# softplus(l) = log(1 + e^l), and PyTorch's `softplus` computes it without overflow. So every good implementation uses
# the logits: −log σ(l) = softplus(−l) and −log(1 − σ(l)) = softplus(l). These are three functions of inkgan, applied to
# the logits of 0.9, 0.2 and 0.6 (rounded: 2.2, −1.4 and 0.4; the logit of p is log(p / (1 − p)), which undoes the
# sigmoid):

# %% [markdown] lang="zh" of="e4f70d02"
# 直接照公式算会得到无穷大，因为 σ(100) 被舍入成了 1。但是 1 − σ(l) 等于 1 / (1 + e^l)，所以要算的数就是 softplus(l) = log(1 + e^l)，而 PyTorch 的 `softplus` 算它不会溢出。
# 所以好的实现都直接用 logit：−log σ(l) = softplus(−l)，−log(1 − σ(l)) = softplus(l)。下面是 inkgan 里的三个函数，用在 0.9、0.2 和 0.6 的 logit 上（保留一位小数是 2.2、−1.4 和 0.4；概率 p 的 logit 是 log(p / (1 − p))，正是 sigmoid 的反函数）：

# %%
from inkgan.training import losses

logits_real = torch.tensor([2.2])
logits_fake = torch.tensor([-1.4, 0.4])
print("real as real:", round(losses.real_as_real(logits_real).item(), 3))
print("fake as fake:", round(losses.fake_as_fake(logits_fake).item(), 3))
print("fake as real:", round(losses.fake_as_real(logits_fake).item(), 3))
assert torch.isclose(losses.real_as_real(logits_real), -torch.sigmoid(logits_real).log().mean())

# %% [markdown] lang="en"
# The first two belong to the discriminator, the third to the generator. Three losses for two networks: we will come
# back to that.
#
# ## What would a perfect discriminator say?
#
# Forget images for a moment; let a "digit" be a single number. Real ones come from one bell curve (a normal
# distribution), generated ones from another. Here we do not train a network: there is one free logit for each place on
# the line, and Adam, the optimiser of lesson 1, finds the best value for each. (You will read further down how Adam
# works.) For each place, the loss multiplies how often each kind occurs there by what it costs; then it adds everything
# up. What should the best probability be at a place where real ones are three times as frequent as generated ones?

# %% [markdown] lang="zh" of="0dc24290"
# 前两个属于判别器，第三个属于生成器。两个网络，三个损失，这一点后面还要说。
#
# ## 完美的判别器会怎么说？
#
# 先不谈图像，假设一个“数字”只是数轴上的一个数。真的数来自一个正态分布（钟形曲线），生成的数来自另一个。这里不训练网络：
# 数轴上每个位置放一个可以自由调整的 logit，用第 1 课的优化器 Adam 找到最优值（它怎样工作，下文会讲）。损失是把每个位置上两种数出现的频率乘以各自的代价，再全部加起来。
# 如果在某个位置上，真的数出现的次数是生成的数的三倍，那里的最优概率应该是多少？

# %%
line = torch.linspace(-4, 4, 161)
real_share = torch.exp(-((line + 0.8) ** 2) / 2)
fake_share = torch.exp(-((line - 0.8) ** 2) / 2)
real_share, fake_share = real_share / real_share.sum(), fake_share / fake_share.sum()
best = torch.zeros(161, requires_grad=True)
optimizer = torch.optim.Adam([best], 0.1)
for _ in range(600):
    loss = (real_share * F.softplus(-best) + fake_share * F.softplus(best)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
formula = real_share / (real_share + fake_share)
difference = (torch.sigmoid(best) - formula).abs().max().item()
print("largest difference from real / (real + generated):", round(difference, 5))
heights = real_share / real_share.max(), fake_share / fake_share.max()  # each curve 1 high at its top
curves(*heights, torch.sigmoid(best).tolist(), limits=(0, 1), across=(-4, 4))

# %%
assert difference < 0.01

# %% [markdown] lang="en"
# The line of numbers runs from left to right. Blue: where real ones lie. Orange: where generated ones lie (both curves
# are scaled so that they peak at 1). Green: the best discriminator, p = real / (real + generated). Three times as
# frequent means 3 / (3 + 1) = 0.75. (The formula also follows from a derivative. At a place where real ones have the
# frequency a and generated ones b, the loss is −a log p − b log(1 − p). Its derivative, −a/p + b/(1 − p), is 0 at
# p = a / (a + b).)
#
# So the discriminator measures something useful: the *ratio* of the two densities, that is, how often each kind of
# number occurs at a place. And if the generator is perfect, the two curves coincide, p = 1/2 everywhere, and the loss
# is 2 · log 2 = 1.386: 0.693 for real images and 0.693 for generated ones. Remember 0.693; in lesson 3 all losses begin
# there.

# %% [markdown] lang="zh" of="e1ef0786"
# 横轴就是数轴。蓝线：真的数在哪里。橙线：生成的数在哪里（两条曲线的顶点都画在 1）。绿线：最优判别器，p = 真 /（真 + 生成的）。三倍就是 3 / (3 + 1) = 0.75。（求导也能得到这个公式：在真的数频率为 a、生成的数频率为 b 的位置，损失是 −a log p − b log(1 − p)；令导数 −a/p + b/(1 − p) 等于 0，就得到 p = a / (a + b)。）
#
# 可见判别器量出了有用的东西：两个密度之**比**。所谓密度，就是某个位置上的数出现得有多频繁。如果生成器完美，两条曲线重合，处处 p = 1/2，
# 判别器的损失就是 2 · log 2 = 1.386：真图占 0.693，生成的图占 0.693。记住 0.693，第 3 课里所有的损失都从它开始。

# %%
undecided = torch.zeros(50)
at_best = losses.real_as_real(undecided) + losses.fake_as_fake(undecided)
print("the discriminator's loss when it cannot tell:", round(at_best.item(), 3))
assert math.isclose(at_best.item(), 2 * math.log(2), rel_tol=1e-6)

# %% [markdown] lang="en"
# ## What should the generator minimise?
#
# Papers write z for the latent, G(z) for the image that the generator draws from it, and D for the probability of being
# real. (In code, `discriminator(x)` is the logit.) For generated images the discriminator minimises −log(1 − D). The
# generator wants the opposite. So let it minimise +log(1 − D)? That is the game as it is usually written, the *minimax*
# game:
#
# > min<sub>G</sub> max<sub>D</sub> E<sub>x</sub>[log D(x)] + E<sub>z</sub>[log(1 − D(G(z)))]
#
# E<sub>x</sub> is the mean over real images x, E<sub>z</sub> that over latents z. D wants to make this number large, G
# wants to make it small. The discriminator's two losses are the two terms with the sign changed. (The largest number
# that D can reach is twice the *Jensen–Shannon divergence* minus log 4. This divergence says how different the real and
# the generated density are; it is 0 if they are the same: [Goodfellow et al. 2014](https://arxiv.org/abs/1406.2661).)
#
# Look at the *slope* of log(1 − D) with respect to the logit. What happens far to the left, where the discriminator is
# sure that an image is generated? (`torch.autograd.grad` returns a gradient; `backward` leaves it in `.grad`.)

# %% [markdown] lang="zh" of="9c8849bd"
# ## 生成器该最小化什么？
#
# 论文里用 z 表示隐变量，用 G(z) 表示生成器由它画出的图，用 D 表示判别器给出的“为真”的概率。（在代码里，`discriminator(x)` 是 logit。）
# 对生成的图，判别器最小化 −log(1 − D)。生成器的愿望正相反，那就让它最小化 +log(1 − D)？教科书上的博弈通常就这么写，叫作**极小极大**博弈（minimax）：
#
# > min<sub>G</sub> max<sub>D</sub> E<sub>x</sub>[log D(x)] + E<sub>z</sub>[log(1 − D(G(z)))]
#
# E<sub>x</sub> 是对真图 x 求平均，E<sub>z</sub> 是对隐变量 z 求平均。D 想让这个数大，G 想让它小。把这两项变号，就是判别器的两个损失。
# （D 能让它达到的最大值，等于 **JS 散度**（Jensen–Shannon divergence）的两倍减去 log 4。JS 散度衡量真、假两个密度相差多远，两者相同时为 0，见 [Goodfellow 等 2014](https://arxiv.org/abs/1406.2661)。）
#
# 来看 log(1 − D) 对 logit 的**斜率**。当判别器断定一张图是生成的（最左边），会发生什么？（`torch.autograd.grad` 直接返回梯度，`backward` 则把它存进 `.grad`。）

# %%
logit = torch.linspace(-10, 4, 200, requires_grad=True)
minimax_slope = torch.autograd.grad(torch.log(1 - torch.sigmoid(logit)).sum(), logit)[0]
own_slope = torch.autograd.grad(F.softplus(-logit).sum(), logit)[0]
at = (logit - -8).abs().argmin()
print(f"slopes at logit -8:  log(1 - D): {minimax_slope[at]:.4f}   -log D: {own_slope[at]:.4f}")
curves(minimax_slope.tolist(), own_slope.tolist(), limits=(-1.05, 0.05), across=(-10, 4))

# %%
assert minimax_slope[at].abs() < 0.001
assert own_slope[at].abs() > 0.999

# %% [markdown] lang="en"
# Blue is the slope of log(1 − D), orange that of −log D; the logit goes from −10 to 4. Early in training, as soon as
# the discriminator has learned for some twenty steps (lesson 1), every generated image is far to the left. There
# log(1 − D) is flat: the generator learns nothing, just when it has everything to learn. With −log D the push is
# strongest exactly when the generator is worst.
#
# So the generator minimises −log D(G(z)): it treats its images as if they were labelled "real". This is called the
# **non-saturating** loss: a curve saturates where it becomes flat, and this one does not become flat at that end. The
# aim is the same, and the gradient does not vanish.
#
# ## Where does the generator's lesson come from?
#
# From the discriminator's gradient with respect to the *pixels*. To see it we need a discriminator that knows
# something. Train one for 40 steps on real digits against the images of a generator that knows nothing.
# (`torch.Generator` in the cell is not a generator in our sense; it is PyTorch's source of random numbers. The networks
# are those of lesson 1, now from inkgan, which follows the tutorial in every detail. They take images as MNIST stores
# them, with the channel last.)

# %% [markdown] lang="zh" of="17e27d17"
# 蓝线是 log(1 − D) 的斜率，橙线是 −log D 的斜率，logit 从 −10 到 4。训练之初，判别器只要学上二十来步（见第 1 课），生成的图就全都落在左边很远的地方。
# 那里 log(1 − D) 是平的：生成器正是什么都要学的时候，却什么也学不到。而 −log D 恰好在生成器最差的时候推力最大。
#
# 所以生成器最小化 −log D(G(z))，等于把自己的图当成标着“真”的图。这叫**非饱和**损失（non-saturating）：曲线变平叫作饱和，而它在那一端不会变平。目标相同，梯度却不会消失。
#
# ## 生成器学到的东西从哪里来？
#
# 来自判别器对**像素**的梯度。要看到这个梯度，先得有一个懂点东西的判别器。我们找一个什么都不会的生成器，拿它画的图和真数字，让判别器练 40 步。（单元里的 `torch.Generator` 不是我们说的生成器，而是 PyTorch 产生随机数的工具。两个网络就是第 1 课的，现在直接用 inkgan 里写好的，细节都照原教程；图的形状和 MNIST 里存的一样，通道放在最后。）

# %% short=["STEPS = 40", "STEPS = 3"]
from inkgan.data import load
from inkgan.networks.tutorial import Discriminator, Generator

STEPS = 40
source = torch.Generator().manual_seed(1)
discriminator, generator = Discriminator(source), Generator(source)
images = torch.tensor(load("mnist").train.images[: 50 * STEPS]) / 255
optimizer = torch.optim.Adam(discriminator.parameters(), 3e-4)
for step in range(STEPS):
    with torch.no_grad():
        fake = generator(torch.randn(50, 100, generator=source))
    real = images[50 * step : 50 * step + 50]
    loss = losses.real_as_real(discriminator(real)) + losses.fake_as_fake(discriminator(fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("the discriminator's loss at the end:", round(loss.item(), 4))

# %% full=true
assert loss < 0.3

# %% [markdown] lang="en"
# Now take some images, ask for the generator's loss, and let PyTorch compute its gradient with respect to each pixel.
# In the picture, blue means "more ink here would look more real", red means "less". Above are a real digit, fog from
# the generator, and a blank page; below is what the discriminator would change.

# %% [markdown] lang="zh" of="07f6436e"
# 现在取几张图，算出生成器的损失，让 PyTorch 求它对每个像素的梯度。图中蓝色表示“这里多一点墨会更像真的”，红色表示“这里少一点墨”。
# 上排是一个真数字、生成器画的雾和一张白纸，下排是判别器想怎么改。


# %%
def in_colours(gradient):
    """Downhill directions [N, 28, 28, 1] as pictures: blue for more ink, red for less."""
    strength = (gradient / gradient.abs().amax(dim=(1, 2, 3), keepdim=True)).clamp(-1, 1)
    paper = torch.ones_like(strength)
    red, blue = paper - strength.clamp(min=0), paper + strength.clamp(max=0)
    return to_uint8(torch.cat([red, paper - strength.abs(), blue], dim=3).numpy())


looked_at = torch.cat([real[:1], fake[:1], torch.zeros(1, 28, 28, 1)]).requires_grad_()
loss = F.softplus(-discriminator(looked_at)).sum()
wish = -torch.autograd.grad(loss, looked_at)[0]
above = np.repeat(255 - to_uint8(looked_at.detach().numpy()), 3, axis=3)
sheet(np.concatenate([above, in_colours(wish)]), columns=3, scale=4)

# %% [markdown] lang="en"
# For the fog the message is clear: paper at the edges, ink in the middle. If we follow it by changing not the generator
# but the pixels themselves, does the discriminator's estimate (its logit) rise? We take 60 steps and show the pixels
# after 1, 13, 25, 37 and 49 of them.

# %% [markdown] lang="zh" of="60c02e69"
# 对那团雾，信息很明确：四周要留白，中间要有墨。如果我们照办，不动生成器，直接改像素，判别器的估计（也就是它的 logit）会上升吗？一共走 60 步，画出第 1、13、25、37、49 步之后的像素。

# %%
pixels = fake[:1].clone()
estimates, stages = [], []
for number in range(60):
    pixels.requires_grad_()
    estimate = discriminator(pixels).sum()
    (direction,) = torch.autograd.grad(F.softplus(-estimate), pixels)
    estimates.append(estimate.item())
    pixels = (pixels - 0.02 * direction / direction.abs().max()).clamp(0, 1).detach()
    if number % 12 == 0:
        stages.append(pixels.clone())
print("estimate before and after:", round(estimates[0], 2), round(estimates[-1], 2))
sheet(to_uint8(torch.cat(stages).numpy()), columns=5, scale=3)

# %%
assert estimates[-1] > estimates[0]

# %% full=true
assert estimates[0] < -1
assert estimates[-1] > 0

# %% [markdown] lang="en"
# The discriminator is convinced, and yet no digit appears, only a blob. The gradient leads to what *this* discriminator
# takes for real. It had to tell digits from fog, so it learned where digits have their ink, and no more. Once the
# generator draws blobs, the discriminator learns that blobs are not enough, and the next gradient says more. The digits
# come out of this exchange, not out of one gradient.
#
# ## Who may change which weights?
#
# The generator's loss runs through both networks: z → G → image → D → logit → loss. So `backward()` gives gradients to
# the weights of *both*. Look:

# %% [markdown] lang="zh" of="6ae0ba9c"
# 判别器被说服了，可是没有出现数字，只有一团墨。梯度指向的，是**眼前这个**判别器所认为的“真”。
# 它只需要把数字和雾分开，所以只学到了数字的墨一般落在哪里。等生成器画出墨团，判别器又会学到“光有墨团还不够”，下一次的梯度就会说得更多。
# 数字是在这样一来一往中长出来的，光靠一次梯度给不出来。
#
# ## 谁可以改哪些权重？
#
# 生成器的损失穿过两个网络：z → G → 图像 → D → logit → 损失。所以 `backward()` 会让**两个**网络的权重都得到梯度。看：

# %%
z = torch.randn(50, 100, generator=source)
loss = losses.fake_as_real(discriminator(generator(z)))
discriminator.zero_grad()
generator.zero_grad()
loss.backward()
reached = {
    "generator": sum(p.grad.abs().sum() > 0 for p in generator.parameters()).item(),
    "discriminator": sum(p.grad.abs().sum() > 0 for p in discriminator.parameters()).item(),
}
print("parameters that got a gradient:", reached)
assert reached["discriminator"] == 8

# %% [markdown] lang="en"
# This is the generator's loss, and yet all eight tensors of the discriminator, its weights and biases, got a gradient.
# (The generator has eleven: the tutorial's normalisation has an offset only, no scale, so there are three fewer than in
# lesson 1.) Only the optimiser decides who moves. The generator's Adam holds the generator's weights and nothing else.
# What if you handed it the discriminator's weights by mistake?

# %% [markdown] lang="zh" of="b9f426db"
# 明明是生成器的损失，判别器的八个张量（权重和偏置）却也全都得到了梯度。（生成器有十一个：原教程的归一化只有偏移，没有缩放，所以比第 1 课的少三个。）谁真的会动，只由优化器决定：生成器的 Adam 里只放生成器的权重，别的都不放。如果一不小心把判别器的权重交给了它呢？

# %%
import copy

victim = copy.deepcopy(discriminator)
wrong = torch.optim.Adam(victim.parameters(), 3e-4)
with torch.no_grad():
    drawn = generator(z)
course = []
for _ in range(15):
    loss = losses.fake_as_real(victim(drawn))
    wrong.zero_grad()
    loss.backward()
    wrong.step()
    course.append(loss.item())
print("the generator's loss:", [round(x, 2) for x in course[::7]])
curves(course, across=(1, 15))

# %%
assert course[-1] < course[0]

# %% full=true
assert course[-1] < 0.1 * course[0]

# %% [markdown] lang="en"
# The loss falls beautifully within these 15 steps, yet no image changes by a single pixel: the judge was bribed. When a
# generator's loss drops to zero at once, this is the first thing to look for.
#
# In the other direction, the discriminator's loss must not reach the generator. `no_grad()` (or `detach()`, which cuts
# a tensor off from the record of how it was computed) sees to that, as in the training loop above. Without it, the
# gradients of that loss stay in the `.grad` of the generator's weights. If you then forget to clear them before the
# generator's own step, the generator learns to be found out. In any case, computing them is wasted work.
#
# ## Three losses, three Adams
#
# The original tutorial has one Adam for "real as real", one for "fake as fake", both with the discriminator's weights,
# and one for the generator. Is that the same as one Adam for the sum?
#
# Adam ([Kingma and Ba 2015](https://arxiv.org/abs/1412.6980)) keeps two moving averages for each weight: m, of its
# gradient, and v, of the gradient's square. (In a moving average old values fade: in each step, m becomes
# 0.9 · m + 0.1 · gradient. In v they fade more slowly; lesson 3 says how Adam makes up for the start, when both are
# still small.) A step is learning rate · m / (√v + ε), where the tiny ε prevents a division by zero. The gradient is
# divided by its usual size, so every step is about as long as the learning rate. What do you expect of two Adams?

# %% [markdown] lang="zh" of="f604a7e4"
# 短短 15 步，损失漂亮地降下去了，图却一个像素都没变：裁判被收买了。如果生成器的损失一下子掉到零，先查这一点。
#
# 反过来，判别器的损失不能传到生成器。所以训练判别器时要用 `no_grad()`（或 `detach()`，它让张量和计算它的记录脱钩），就像上面的训练循环那样。不然，判别器损失的梯度会留在生成器权重的 `.grad` 里；如果更新生成器之前忘了清零，生成器就会学着被识破。就算清了零，这些梯度也是白算的。
#
# ## 三个损失，三个 Adam
#
# 原教程里，“真图判为真”用一个 Adam，“假图判为假”用另一个 Adam，两个都更新判别器的权重，再加一个 Adam 给生成器。
# 把两个损失加起来，只用一个 Adam，结果一样吗？
#
# Adam（[Kingma 和 Ba 2015](https://arxiv.org/abs/1412.6980)）为每个权重记着两个移动平均：梯度的平均 m，和梯度平方的平均 v。（移动平均里，旧的值会渐渐淡出：每一步，m 变成 0.9 · m + 0.1 · 梯度；v 淡出得更慢。两者起初都偏小，Adam 怎样修正，第 3 课会讲。）每一步走的距离是“学习率 · m / (√v + ε)”，其中 ε 很小，只用来防止除以零。梯度除以它平时的大小，所以每一步的长度都和学习率差不多。
# 那么换成两个 Adam，你预计会怎样？


# %%
def moved(pairs):
    """How far two networks' weights are apart, at most."""
    return max((a - b).abs().max().item() for a, b in pairs)


one, two = copy.deepcopy(discriminator), copy.deepcopy(discriminator)
single = torch.optim.Adam(one.parameters(), 3e-4)
for_real = torch.optim.Adam(two.parameters(), 3e-4)
for_fake = torch.optim.Adam(two.parameters(), 3e-4)

single.zero_grad()
(losses.real_as_real(one(real)) + losses.fake_as_fake(one(drawn))).backward()
single.step()

gradients_real = torch.autograd.grad(losses.real_as_real(two(real)), list(two.parameters()))
gradients_fake = torch.autograd.grad(losses.fake_as_fake(two(drawn)), list(two.parameters()))
for adam, gradients in ((for_real, gradients_real), (for_fake, gradients_fake)):
    for parameter, gradient in zip(two.parameters(), gradients, strict=True):
        parameter.grad = gradient
    adam.step()

length_one = moved(zip(discriminator.parameters(), one.parameters(), strict=True))
length_two = moved(zip(discriminator.parameters(), two.parameters(), strict=True))
print(f"longest step of a weight: one Adam {length_one:.6f}, two Adams {length_two:.6f}")
assert length_one < 1.01 * 3e-4
assert length_two > 1.9 * 3e-4

# %% [markdown] lang="en"
# Two Adams take two steps, so a weight can move twice as far; and where the two losses pull it in opposite directions,
# the steps cancel, however strong each pull is. Neither is wrong, but they are different algorithms. If you reproduce a
# paper and your numbers do not match, look at the optimisers.
#
# ## Exercises
#
# Try each before you unfold its solution, and the answer below it.
#
# **1.** The discriminator says 0.5 to everything. What are the three losses of the tutorial?

# %% [markdown] lang="zh" of="2ff769f0"
# 两个 Adam 走两步，所以一个权重最多能走两倍远；如果两个损失把它往相反的方向拉，那么不管各自的拉力多大，两步都会互相抵消。
# 两种做法都不算错，但它们是不同的算法。如果你复现一篇论文，数字对不上，就去查优化器。
#
# ## 练习
#
# 每题先自己试，再展开参考代码和下面的答案。
#
# **1.** 判别器对一切都说 0.5。那篇教程里的三个损失各是多少？

# %% solution=true
zeros = torch.zeros(50)
three = [losses.real_as_real(zeros), losses.fake_as_fake(zeros), losses.fake_as_real(zeros)]
print([round(loss.item(), 3) for loss in three])
assert all(math.isclose(loss.item(), math.log(2), rel_tol=1e-6) for loss in three)

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# log 2 = 0.693 each.
#
# </details>
#
# **2.** Newer GANs compare images: the *relativistic* loss ([Jolicoeur-Martineau
# 2018](https://arxiv.org/abs/1807.00734)) takes pairs of a real and a generated image. Below are the discriminator's
# losses of five GANs by their names in inkgan ([their papers](../../docs/settings.md)); a is the logit of a real image
# and b that of a generated one, and each loss is averaged over the batch. Add 5 to every logit. Which of them change?
# * `non-saturating`: softplus(−a) + softplus(b)
# * `least-squares`: ((a − 1)² + (b + 1)²) / 2
# * `hinge`: max(0, 1 − a) + max(0, 1 + b)
# * `wgan-gp`: b − a
# * `relativistic`: softplus(b − a)

# %% [markdown] lang="zh" of="dbfeed77"
# <details><summary>答案</summary>
#
# 都是 log 2 = 0.693。
#
# </details>
#
# **2.** 较新的 GAN 用比较的办法：**相对**损失（relativistic，[Jolicoeur-Martineau 2018](https://arxiv.org/abs/1807.00734)）把一张真图和一张生成的图配成一对。
# 下面是五种 GAN 的判别器损失，名字是 inkgan 里的（[出自哪些论文](../../docs/settings.md)，英文）；a 是真图的 logit，b 是生成的图的 logit，损失对一批取平均。把所有 logit 都加 5，哪些会变？
# * `non-saturating`（非饱和）：softplus(−a) + softplus(b)
# * `least-squares`（最小二乘）：((a − 1)² + (b + 1)²) / 2
# * `hinge`（合页）：max(0, 1 − a) + max(0, 1 + b)
# * `wgan-gp`：b − a
# * `relativistic`（相对）：softplus(b − a)

# %% solution=true
a, b = torch.tensor([1.0, 0.3]), torch.tensor([-0.5, 0.8])
for name in ("non-saturating", "least-squares", "hinge", "wgan-gp", "relativistic"):
    game = losses.ADVERSARIAL_LOSSES[name]
    before, after = game.discriminator(a, b), game.discriminator(a + 5, b + 5)
    print(f"{name:15} {before:7.3f} -> {after:7.3f}", "" if game.has_zero else "   unchanged")
    assert torch.isclose(before, after, atol=1e-5) == (not game.has_zero)

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# `relativistic` and `wgan-gp` do not change: they look at the difference b − a only. So in these games a single logit
# means nothing, and neither does its sign: they have no zero (`has_zero` in the code). inkgan shows the *margin* of a
# pair instead: the real image's logit minus the generated one's.
#
# </details>
#
# **3.** With ten classes a network returns ten logits. *Softmax* is to the ten what the sigmoid is to one: the
# probability of class i is e^lᵢ divided by the sum of all ten e^l. Somebody applies softmax before PyTorch's
# `cross_entropy`, which already contains one. The classifier is right and very sure. What loss is left?

# %% [markdown] lang="zh" of="36f7a002"
# <details><summary>答案</summary>
#
# `relativistic` 和 `wgan-gp` 不变：它们只看差值 b − a。所以在这类博弈里，单独一个 logit 没有意义，正负也没有意义：
# 它们没有零点（就是代码里的 `has_zero`）。inkgan 改为显示每一对的**间隔**（margin）：真图的 logit 减去生成的图的 logit。
#
# </details>
#
# **3.** 分十类的网络给出十个 logit。**softmax** 之于十个 logit，就像 sigmoid 之于一个：第 i 类的概率是 e^lᵢ 除以十个 e^l 的和。
# 有人在 PyTorch 的 `cross_entropy` 前面又写了一个 softmax，而 `cross_entropy` 里面本来就有一个。
# 分类器答对了，而且非常有把握。损失还剩多少？

# %% solution=true
sure = torch.tensor([[20.0] + [0.0] * 9])
right = F.cross_entropy(sure, torch.tensor([0]))
twice = F.cross_entropy(sure.softmax(1), torch.tensor([0]))
print("once:", round(right.item(), 6), "  twice:", round(twice.item(), 3))
assert right < 1e-6
assert math.isclose(twice.item(), math.log(1 + 9 / math.e), rel_tol=1e-4)

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# 1.461 instead of 0. The loss can never fall below that: the best that the first softmax can return is a 1 and nine
# zeros, and the second one takes these for logits. It turns them into e / (e + 9) for the right class, and −log of that
# is 1.461. Training still works somehow, which is why this mistake survives so long.
#
# </details>
#
# ## Can you answer these?
#
# <details><summary>What does the best discriminator compute?</summary>
#
# The share of real ones among all, at each point: real / (real + generated).
#
# </details>
#
# <details><summary>Why −log D and not log(1 − D)?</summary>
#
# The second is flat where the generator is bad.
#
# </details>
#
# <details><summary>Which line of your code makes sure that the generator's loss does not change the discriminator?</summary>
#
# The one that gives the optimiser its parameters.
#
# </details>

# %% [markdown] lang="zh" of="a915aa96"
# <details><summary>答案</summary>
#
# 剩 1.461，而不是 0。损失永远降不到这个数以下：第一个 softmax 最好也只能给出一个 1 和九个 0，而第二个把它们当作 logit，算出 e / (e + 9)，取 −log 就是 1.461。训练好歹还能进行，所以这个错误往往能藏很久。
#
# </details>
#
# ## 自测
#
# <details><summary>最优判别器算的是什么？</summary>
#
# 每一点上真的所占的份额：真 /（真 + 生成的）。
#
# </details>
#
# <details><summary>为什么用 −log D，不用 log(1 − D)？</summary>
#
# 后者在生成器很差的地方是平的。
#
# </details>
#
# <details><summary>你的代码里，哪一行保证生成器的损失不会改动判别器？</summary>
#
# 把参数交给优化器的那一行。
#
# </details>
